use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Reads answers from a socket, each within a timeout of its own: an answer has to be there in full
/// before its time is over, in however many pieces it comes. The socket's own timeout would begin anew
/// with each piece.
pub(super) struct TimeoutReader {
    stream: TcpStream,
    timeout: Duration,
    /// When the first read for the present answer began.
    since: Option<Instant>,
    /// Whether the socket's timeout is less than `timeout` now.
    shortened: bool,
}

impl TimeoutReader {
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> io::Result<TimeoutReader> {
        stream.set_read_timeout(Some(timeout))?;
        Ok(TimeoutReader { stream, timeout, since: None, shortened: false })
    }

    /// The socket, to write to.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What is read from now on is another answer, with all of the timeout.
    pub(super) fn begin_answer(&mut self) -> io::Result<()> {
        self.since = None;
        if self.shortened {
            self.stream.set_read_timeout(Some(self.timeout))?;
            self.shortened = false;
        }
        Ok(())
    }
}

impl Read for TimeoutReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.since {
            // The usual case, without a system call of its own: an answer comes in one piece.
            None => self.since = Some(Instant::now()),
            Some(since) => {
                let left = self.timeout.saturating_sub(since.elapsed());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                self.shortened = true;
                self.stream.set_read_timeout(Some(left))?;
            }
        }
        self.stream.read(buffer)
    }
}
