//! What a server takes from its clients.

use crate::protocol::MAX_LINE;
use std::fmt;
use std::time::Duration;

/// What a server takes from its clients, all of them together and each one alone.
///
/// ```
/// use kvs_final::Limits;
/// use std::time::Duration;
/// let limits = Limits { connections: 100, idle_time: Some(Duration::from_secs(600)), ..Limits::default() };
/// # assert_eq!(limits.connections, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request, in bytes with its newline. A longer one is passed over and answered with
    /// an error. 16 MiB by default.
    pub request_bytes: usize,
    /// The longest key, in bytes. By default what our own engine takes, 65,535.
    pub key_bytes: usize,
    /// The longest value, in bytes. By default 16 MiB, as much as a request.
    pub value_bytes: usize,
    /// Memory for requests that have arrived in part, for writes under way and for answers that were not
    /// taken yet, of all connections together, in bytes. Beyond it, those connections that want more than 64 KiB are
    /// closed: after an error for a request, in the middle of an answer. So each connection may have
    /// 64 KiB of either beside it, and one write. 256 MiB by default.
    pub buffered_bytes: usize,
    /// Connections at a time; one more is answered with an error and closed. A connection counts
    /// until the server has seen its end. 10,000 by default.
    pub connections: usize,
    /// Jobs that the pool is given: each is an event loop, and has a thread for as long as the server runs.
    /// When all of them are held up by the engine, what clients send waits in their sockets. One for each core by default;
    /// those that the pool has no thread for are not missed.
    pub jobs: usize,
    /// How long a request may take to arrive, from its first byte to its newline; a large one so long
    /// for each 16 KiB. Then it is answered with an error and the connection closed. 30 s by default.
    pub request_time: Duration,
    /// How long the client may take to accept 16 KiB of the answers that do not fit into the socket, or
    /// what is left of them. Then the connection is closed. 30 s by default.
    pub answer_time: Duration,
    /// How long a connection may be idle; by default for ever.
    pub idle_time: Option<Duration>,
    /// How long a client keeps its place whose machine is gone without a word; not less than it may take
    /// to accept an answer. In whole seconds, 300 by default.
    pub keepalive_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_bytes: MAX_LINE,
            key_bytes: u16::MAX.into(),
            value_bytes: MAX_LINE,
            buffered_bytes: 256 << 20,
            connections: 10_000,
            jobs: num_cpus::get(),
            request_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(30),
            idle_time: None,
            keepalive_time: Duration::from_secs(300),
        }
    }
}

impl Limits {
    /// How often connections are looked over for deadlines that have passed.
    pub(crate) fn sweep_interval(&self) -> Duration {
        let times = [Some(self.request_time), Some(self.answer_time), self.idle_time];
        let shortest = times.into_iter().flatten().min().unwrap_or_default();
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

/// As in the log line of a server that starts.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "limits: request {} bytes, key {}, value {}, buffered {}, {} connections, {} jobs, \
             request {:?}, answer {:?}, keepalive {:?}, idle ",
            self.request_bytes,
            self.key_bytes,
            self.value_bytes,
            self.buffered_bytes,
            self.connections,
            self.jobs,
            self.request_time,
            self.answer_time,
            self.keepalive_time,
        )?;
        match self.idle_time {
            Some(time) => write!(f, "{time:?}"),
            None => f.write_str("for ever"),
        }
    }
}
