use std::time::Duration;

/// How long a client waits for what, and what it takes.
///
/// The times are those in which nothing happens: a long answer over a slow line may take longer, and time
/// in which the process was stopped hardly counts. The least is a millisecond and the most a year.
///
/// ```
/// # fn main() -> kvs_final::Result<()> {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let addr = listener.local_addr()?;
/// use kvs_final::{KvsClientOptions, KvsError};
/// use std::time::Duration;
/// // At this address nobody answers.
/// let mut client = KvsClientOptions::new().read_timeout(Duration::from_millis(10)).connect(addr)?;
/// let get = client.get("key".to_owned());
/// assert_eq!(get.unwrap_err().to_string(), "the server gave no answer within 10ms");
/// // An answer that comes now would be that of another request, so nothing is asked any more.
/// assert!(matches!(client.get("key".to_owned()), Err(KvsError::GivenUp { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct KvsClientOptions {
    pub(crate) connect: Duration,
    pub(super) read: Duration,
    pub(super) write: Duration,
    pub(super) answer: usize,
}

impl Default for KvsClientOptions {
    fn default() -> Self {
        KvsClientOptions::new()
    }
}

impl KvsClientOptions {
    /// The defaults.
    pub fn new() -> KvsClientOptions {
        let secs = Duration::from_secs;
        KvsClientOptions { connect: secs(5), read: secs(30), write: secs(30), answer: 1 << 30 }
    }

    /// How long a server may take to accept the connection, at each of its addresses. 5 s by
    /// default.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect = clamped(time);
        self
    }

    /// How long nothing may come of an answer that is waited for. 30 s by default.
    pub fn read_timeout(mut self, time: Duration) -> Self {
        self.read = clamped(time);
        self
    }

    /// How long the server may take nothing of a request that is being sent. 30 s by default.
    pub fn write_timeout(mut self, time: Duration) -> Self {
        self.write = clamped(time);
        self
    }

    /// The longest answer, in bytes of its line; at least 64. 1 GiB by default, more than a server sends
    /// unless its own limits were raised beyond that: as JSON, a control character takes six bytes. Memory
    /// is taken for what has come. A longer answer is [`KvsError::AnswerTooLong`](crate::KvsError::AnswerTooLong).
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.answer = bytes.max(64);
        self
    }
}

/// The operating system takes neither no time nor an endless one.
fn clamped(time: Duration) -> Duration {
    time.clamp(Duration::from_millis(1), Duration::from_secs(365 * 24 * 60 * 60))
}
