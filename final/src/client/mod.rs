//! The client's end of a connection.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the calls, and those whose answer is fetched later |
//! | `connection.rs` | a pipeline until its first error, and the reason afterwards |
//! | `pipeline.rs` | requests out, answers in, matched by their order, without a deadlock between the two |
//! | `socket.rs` | reads and writes within the timeouts |
//! | `options.rs` | the timeouts, and how long an answer may be |

mod connection;
mod options;
mod pipeline;
mod socket;

pub use options::KvsClientOptions;

use crate::protocol::{Request, Response};
use crate::{KvsError, Page, Result, Write};
use connection::Connection;
pub(crate) use pipeline::lock;
use pipeline::{Pipeline, Slot};
use socket::Socket;
use std::io;
use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A connection to a server.
///
/// `get`, `set`, `remove` and the like wait for their answers. Those that begin with `submit` do not:
/// they give a [`Pending`] to wait on later, so that one thread can have many requests under way. The
/// server executes requests in the order of the calls.
///
/// After a timeout, a lost connection or an answer that makes no sense nobody can tell which answer
/// would belong to which request. So the connection is given up, and every later call fails with
/// [`KvsError::GivenUp`]. After an error that is an answer ([`KvsError::is_answer`]) the connection
/// goes on.
///
/// ```
/// # fn main() -> kvs_final::Result<()> {
/// # let (dir, addr) = (tempfile::tempdir()?, ([127, 0, 0, 1], 0).into());
/// # let pool = kvs_final::thread_pool::ThreadPool::new(1)?;
/// # let pool: kvs_final::thread_pool::SharedQueueThreadPool = pool;
/// # let server = kvs_final::KvsServer::bind(addr, kvs_final::KvStore::open(dir.path())?, pool)?;
/// # let addr = server.local_addr()?;
/// # std::thread::spawn(|| server.run());
/// use kvs_final::{KvsClient, KvsError};
/// let mut client = KvsClient::connect(addr)?;
/// client.set("animal".to_owned(), "crab".to_owned())?;
/// assert_eq!(client.get("animal".to_owned())?, Some("crab".to_owned()));
/// client.remove("animal".to_owned())?;
/// assert!(matches!(client.remove("animal".to_owned()), Err(KvsError::KeyNotFound)));
/// assert!(client.stats()?.contains("keys 0\n"));
///
/// // A hundred writes and a read, all under way at once.
/// let numbers = (0..100).map(|n| client.submit_set(format!("key{n}"), n.to_string()));
/// let writes = numbers.collect::<Result<Vec<_>, _>>()?;
/// let read = client.submit_get("key7".to_owned())?;
/// assert_eq!(read.wait()?, Some("7".to_owned()));
/// for write in writes {
///     write.wait()?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct KvsClient {
    /// Shared with the [`Pending`]s. Locked for a call or a wait, also while that waits for the
    /// server: threads that share a connection wait for each other.
    connection: Arc<Mutex<Connection>>,
}

#[allow(clippy::len_without_is_empty)] // it would ask the same
impl KvsClient {
    /// Connects to a server, with the default options. `addr` may be a name and a port, as in
    /// `"localhost:4000"` or `("fe80::1%eth0", 4000)`.
    ///
    /// # Errors
    /// If no server answers at any of the addresses that `addr` stands for.
    pub fn connect(addr: impl ToSocketAddrs) -> Result<KvsClient> {
        KvsClientOptions::new().connect(addr)
    }

    /// The value of `key`, if it has one.
    pub fn get(&mut self, key: String) -> Result<Option<String>> {
        self.submit_get(key)?.wait()
    }

    /// Gives `key` the value.
    pub fn set(&mut self, key: String, value: String) -> Result<()> {
        self.submit_set(key, value)?.wait()
    }

    /// Takes `key` and its value away.
    ///
    /// # Errors
    /// [`KvsError::KeyNotFound`] if it has none.
    pub fn remove(&mut self, key: String) -> Result<()> {
        self.submit_remove(key)?.wait()
    }

    /// Gives `key` the value `new` if its value is `expected`; `None` stands for no value.
    ///
    /// # Errors
    /// [`KvsError::Mismatch`] if the value is another.
    pub fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        self.submit_write(Write::CompareAndSet { key, expected, new })?.wait()
    }

    /// Sets the keys that come with a value and removes the others, all of them or none
    /// ([`KvsEngine::write_batch`](crate::KvsEngine::write_batch)).
    ///
    /// # Errors
    /// What the server says; among that, that a batch is too long for a line.
    pub fn write_batch(&mut self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        self.submit_write(Write::Batch(writes))?.wait()
    }

    /// How many keys there are.
    pub fn len(&mut self) -> Result<u64> {
        let count = |answer| match answer {
            Response::Len(count) => Ok(count),
            _ => Err(unexpected("no count")),
        };
        self.send(&Request::Len {}, count)?.wait()
    }

    /// Some of the keys ([`KvsEngine::keys`](crate::KvsEngine::keys)).
    pub fn keys(&mut self, cursor: Option<String>, limit: usize) -> Result<Page> {
        let page = |answer| match answer {
            Response::Keys(page) => Ok(page),
            _ => Err(unexpected("no keys")),
        };
        self.send(&Request::Keys { cursor, limit }, page)?.wait()
    }

    /// What the server says about itself: lines of a name, a space and a value.
    pub fn stats(&mut self) -> Result<String> {
        let text = |answer| value(answer)?.ok_or_else(|| unexpected("no stats"));
        self.send(&Request::Stats {}, text)?.wait()
    }

    /// As [`KvsClient::get`], without waiting for the answer.
    ///
    /// # Errors
    /// If the connection is lost. What the server says to the request, [`Pending::wait`] says.
    pub fn submit_get(&mut self, key: String) -> Result<Pending<Option<String>>> {
        self.submit(&Request::Get { key })
    }

    /// As [`KvsClient::set`], without waiting for the answer.
    ///
    /// # Errors
    /// As [`KvsClient::submit_get`].
    pub fn submit_set(&mut self, key: String, value: String) -> Result<Pending<()>> {
        self.submit_write(Write::Set { key, value })
    }

    /// As [`KvsClient::remove`], without waiting for the answer.
    ///
    /// # Errors
    /// As [`KvsClient::submit_get`].
    pub fn submit_remove(&mut self, key: String) -> Result<Pending<()>> {
        self.submit_write(Write::Remove { key })
    }

    /// Any write, without waiting for the answer.
    ///
    /// # Errors
    /// As [`KvsClient::submit_get`].
    pub fn submit_write(&mut self, write: Write) -> Result<Pending<()>> {
        self.send(&write.into(), no_value)
    }

    /// A get, or a write, whose answer has no value.
    pub(crate) fn submit(&mut self, request: &Request) -> Result<Pending<Option<String>>> {
        self.send(request, value)
    }

    /// Sends the requests that are still in the buffer, and waits for no answer.
    ///
    /// # Errors
    /// As [`KvsClient::submit_get`].
    pub fn flush(&mut self) -> Result<()> {
        lock(&self.connection).with(Pipeline::flush)
    }

    /// Whether the server has closed the connection, as far as is known here, so that what is sent now
    /// would not arrive. Only for a client with no request under way.
    pub(crate) fn has_hung_up(&self) -> bool {
        lock(&self.connection).with(|pipeline| Ok(pipeline.has_hung_up())).unwrap_or(true)
    }

    fn send<T>(
        &mut self,
        request: &Request,
        meaning: fn(Response) -> Result<T>,
    ) -> Result<Pending<T>> {
        let slot = lock(&self.connection).with(|pipeline| pipeline.send(request))?;
        Ok(Pending { connection: Arc::clone(&self.connection), slot, meaning })
    }
}

impl KvsClientOptions {
    /// Connects to a server: to the first of the addresses that `addr` stands for where one
    /// answers.
    ///
    /// # Errors
    /// If there is none; the error is that of the last address.
    pub fn connect(&self, addr: impl ToSocketAddrs) -> Result<KvsClient> {
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
        for addr in addr.to_socket_addrs()? {
            match Socket::connect(&addr, self.connect) {
                Ok(stream) => {
                    let pipeline = Pipeline::new(stream, self.clone())?;
                    let connection = Arc::new(Mutex::new(Connection::new(pipeline)));
                    return Ok(KvsClient { connection });
                }
                Err(refused) => error = refused,
            }
        }
        Err(error.into())
    }
}

/// The answer to a write has no value.
fn no_value(answer: Response) -> Result<()> {
    match value(answer)? {
        None => Ok(()),
        Some(_) => Err(unexpected("a value that nobody asked for")),
    }
}

fn value(answer: Response) -> Result<Option<String>> {
    match answer {
        Response::Ok(value) => Ok(value),
        _ => Err(unexpected("something else than a value")),
    }
}

fn unexpected(what: &str) -> KvsError {
    KvsError::Protocol(format!("the server answered with {what}"))
}

/// A request whose answer nobody has waited for yet.
///
/// They can be waited on in any order, in other threads too, and after their client is gone.
/// An answer that comes before somebody waits for it is kept in memory. One that is dropped wants
/// no answer; its request is executed like the others, if it was sent: requests are gathered, and
/// sent when somebody waits, when they are many, or by [`flush`](KvsClient::flush).
#[must_use = "without `wait` nobody knows whether it was done"]
pub struct Pending<T> {
    connection: Arc<Mutex<Connection>>,
    slot: Arc<Slot>,
    meaning: fn(Response) -> Result<T>,
}

impl<T> Pending<T> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// What the server says to the request; or that the connection was lost, and then nobody knows
    /// whether the request was executed.
    pub fn wait(self) -> Result<T> {
        let mut connection = lock(&self.connection);
        let answer = connection.answer(&self.slot)?;
        (self.meaning)(answer).map_err(|error| connection.give_up(error))
    }

    /// Sends what is in the buffer, and waits, but not longer than `time`, until the answer is here or begins to
    /// come. Only for the oldest request under way.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(crate) fn comes_within(&self, time: Duration) -> Result<bool> {
        lock(&self.connection).with(|pipeline| {
            pipeline.flush()?;
            // Where the server took nothing more, answers were read.
            Ok(lock(&self.slot).is_some() || pipeline.has_input(time))
        })
    }
}
