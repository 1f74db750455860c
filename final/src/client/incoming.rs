use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The stream that answers come from. An answer has to be there in full before its time is over,
/// however it is cut into pieces; the socket's own timeout would begin anew with each piece.
pub(super) struct Incoming {
    pub(super) stream: TcpStream,
    timeout: Duration,
    /// When the first read for the present answer began.
    since: Option<Instant>,
    /// Whether the socket's timeout is less than `timeout` now.
    shortened: bool,
}

impl Incoming {
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> io::Result<Incoming> {
        stream.set_read_timeout(Some(timeout))?;
        Ok(Incoming { stream, timeout, since: None, shortened: false })
    }

    /// What is read from now on is another answer.
    pub(super) fn next_answer(&mut self) -> io::Result<()> {
        self.since = None;
        if self.shortened {
            self.stream.set_read_timeout(Some(self.timeout))?;
            self.shortened = false;
        }
        Ok(())
    }
}

impl Read for Incoming {
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
