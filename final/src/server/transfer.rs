//! The bytes of a connection: in, out, and kept.

use super::close::Close;
use super::connection::{Connection, Inner, Phase};
use crate::protocol::KEPT_BUFFER;
use crate::sync::atomic::Ordering;
use std::io::{self, ErrorKind, Read, Write};

impl Connection {
    /// Reads once.
    pub(super) fn receive(&self, inner: &mut Inner, buffer: &mut [u8]) -> io::Result<usize> {
        let received = match (&self.stream).read(buffer) {
            Ok(received) => received,
            Err(error) if is_for_later(&error) => {
                inner.readable = error.kind() == ErrorKind::Interrupted;
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        if received == 0 {
            inner.phase = Phase::Ending(Close::Done);
        }
        // Less than there was room for: the socket is empty, and whatever comes next is a new event.
        // The end of the stream is not, if its event was seen already.
        inner.readable = received == buffer.len() || (inner.hung_up && received > 0);
        Ok(received)
    }

    /// Sends answers; keeps what the client does not take.
    pub(super) fn send(&self, inner: &mut Inner, answers: &[u8]) -> io::Result<()> {
        let sent = self.write(answers)?;
        if sent < answers.len() {
            inner.output = answers[sent..].to_vec();
            self.shared.poller.watch_output(&self.stream, self.token, true)?;
        }
        Ok(())
    }

    /// Sends what was kept. Returns whether nothing is left.
    pub(super) fn send_rest(&self, inner: &mut Inner) -> io::Result<bool> {
        let sent = self.write(&inner.output[inner.sent..])?;
        inner.sent += sent;
        self.progress(inner, sent);
        if inner.sent < inner.output.len() {
            return Ok(false);
        }
        (inner.output, inner.sent) = (Vec::new(), 0);
        self.shared.poller.watch_output(&self.stream, self.token, false)?;
        Ok(true)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            match (&self.stream).write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.shared.counters.bytes_out.add(sent as u64);
        Ok(sent)
    }

    pub(super) fn has_too_much(&self, inner: &Inner) -> bool {
        let others = self.shared.buffered.load(Ordering::Relaxed).saturating_sub(inner.counted);
        let own = inner.input.len() + inner.output.len();
        own > KEPT_BUFFER && others + own > self.shared.limits.buffered_bytes
    }

    pub(super) fn count_buffers(&self, inner: &mut Inner) {
        let count = inner.input.len() + inner.output.len() + self.writes().bytes();
        if count != inner.counted {
            self.shared.buffered.fetch_add(count, Ordering::Relaxed);
            self.shared.buffered.fetch_sub(inner.counted, Ordering::Relaxed);
            inner.counted = count;
        }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
