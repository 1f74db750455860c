use crate::os;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::net::send;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection that is given up when it makes no progress for a time, however long an answer or a
/// request takes altogether.
///
/// Time in which this process was stopped, or the machine asleep, is not the server's. So a wait has
/// slices, a tenth of the time each, and a slice that took longer than it should counts as one. Each
/// ends with a look at the socket: what has come is never too late.
pub(super) struct Socket {
    stream: TcpStream,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Socket {
    /// Connects within `timeout`.
    pub(super) fn connect(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        loop {
            let since = Instant::now();
            match TcpStream::connect_timeout(addr, timeout) {
                // This looks at the clock first, and the clock went on while we were stopped.
                Err(error)
                    if error.kind() == ErrorKind::TimedOut
                        && since.elapsed() > timeout + slice(timeout) => {}
                result => return result,
            }
        }
    }

    pub(super) fn new(
        stream: TcpStream,
        read_timeout: Duration,
        write_timeout: Duration,
    ) -> io::Result<Socket> {
        // Requests are gathered already; gathering them once more in the kernel would only delay them.
        stream.set_nodelay(true)?;
        // The usual wait for an answer is then a single system call.
        stream.set_read_timeout(Some(slice(read_timeout)))?;
        Ok(Socket { stream, read_timeout, write_timeout })
    }

    /// Writes as much as can be written without waiting: perhaps nothing.
    pub(super) fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(&self.stream, bytes, os::SEND) {
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            written => Ok(written?),
        }
    }

    /// Whether a read returns at once, be it with an error or at the end, or will do so within `time`.
    pub(super) fn has_input(&self, time: Duration) -> bool {
        self.is_ready(PollFlags::IN, time).is_ok()
    }

    /// Waits until something can be written. `WouldBlock` if that takes too long.
    pub(super) fn wait_writable(&self) -> io::Result<()> {
        patiently(self.write_timeout, || self.is_ready(PollFlags::OUT, slice(self.write_timeout)))
    }

    /// `WouldBlock` if it isn't within `time`.
    fn is_ready(&self, event: PollFlags, time: Duration) -> io::Result<()> {
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.stream, event)], Some(&time))? {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }
}

/// `WouldBlock` if nothing comes for too long.
impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        patiently(self.read_timeout, || self.stream.read(buffer))
    }
}

/// How long an attempt waits.
fn slice(time: Duration) -> Duration {
    (time / 10).max(Duration::from_millis(1))
}

/// Repeats what waits for a slice at a time, until it has a result or `time` is over.
fn patiently<T>(time: Duration, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut left = time;
    loop {
        let since = Instant::now();
        match attempt() {
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                left = left.saturating_sub(since.elapsed().min(slice(time)));
                // What was interrupted has not looked.
                if left.is_zero() && error.kind() == ErrorKind::WouldBlock {
                    return Err(error);
                }
            }
            result => return result,
        }
    }
}
