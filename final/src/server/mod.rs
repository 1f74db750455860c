//! The server: any number of connections, few threads.
//!
//! | file | what |
//! |---|---|
//! | `socket.rs` | takes an address, and listens on it |
//! | `acceptor.rs` | takes connections in, on a thread of its own |
//! | `poller.rs` | which of them have sent something |
//! | `schedule.rs`, `job.rs` | who serves them: jobs on a [`ThreadPool`] |
//! | `connection.rs`, `transfer.rs`, `deadline.rs` | one connection: its turns, its bytes, its time |
//! | `notes.rs` | whether somebody looks after it, and what has happened to it |
//! | `requests.rs`, `writes.rs` | executes requests; keeps answers in their order |
//! | `limits.rs` | what clients may ask for |
//! | `shutdown.rs` | how it ends |
//!
//! A connection costs a thread only while its requests are executed. A write that waits for a sync
//! costs none: the engine is told whom to call when it is done ([`KvsEngine::set_then`]).

mod acceptor;
mod close;
mod connection;
mod counters;
mod deadline;
mod job;
mod limits;
mod notes;
mod poller;
mod requests;
mod schedule;
mod shared;
mod shutdown;
mod socket;
mod table;
mod transfer;
mod writes;

pub use limits::Limits;
pub use shutdown::ServerHandle;
pub(crate) use socket::Socket;

use crate::sync::thread;
use crate::thread_pool::ThreadPool;
use crate::{KvsEngine, Result};
use job::Job;
use poller::Events;
use schedule::Duty;
use shared::Shared;
use shutdown::Housekeeping;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before a pool that had no thread for a job is given another one.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// A server for any engine, run by any pool.
pub struct KvsServer<E, P> {
    listener: Arc<TcpListener>,
    engine: E,
    pool: P,
    shared: Arc<Shared>,
}

impl<E: KvsEngine, P: ThreadPool> KvsServer<E, P> {
    /// Listens on `addr`, with the default limits; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`KvsError::Listen`](crate::KvsError::Listen) if the address cannot be had; if there is no descriptor left.
    pub fn bind(addr: SocketAddr, engine: E, pool: P) -> Result<Self> {
        KvsServer::bind_with(addr, engine, pool, Limits::default())
    }

    /// Listens on `addr`.
    ///
    /// # Errors
    /// As [`KvsServer::bind`].
    pub fn bind_with(addr: SocketAddr, engine: E, pool: P, limits: Limits) -> Result<Self> {
        KvsServer::listen(Socket::bind(addr)?, engine, pool, limits)
    }

    /// Listens on an address that is taken.
    pub(crate) fn listen(socket: Socket, engine: E, pool: P, limits: Limits) -> Result<Self> {
        let listener = Arc::new(socket.listen(&limits)?);
        Ok(KvsServer { listener, engine, pool, shared: Arc::new(Shared::new(limits)?) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Something to stop the server with, from any thread.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(&self.shared, &self.listener)
    }

    /// Serves until [`ServerHandle::shutdown`]. Then it takes no more connections, answers the
    /// requests that have arrived (of what it has not read yet, the first 64 KiB of each connection),
    /// closes the connections, lets the engine go, and returns. Connections that are not done after five
    /// seconds, or whose clients go on sending until then, are aborted. What is within the engine then is
    /// waited for: a store that syncs has to come to its end.
    ///
    /// # Errors
    /// If the system refuses the thread that accepts connections.
    pub fn run(self) -> Result<()> {
        let KvsServer { listener, engine, pool, shared } = self;
        let acceptor = {
            let shared = Arc::clone(&shared);
            let accept = move || acceptor::accept(&listener, &shared);
            thread::Builder::new().name("kvs-acceptor".into()).spawn(accept)?
        };
        let mut events = Events::new();
        let mut housekeeping = Housekeeping::new(&shared, acceptor);
        while let Some(timeout) = housekeeping.tick() {
            let start = match shared.schedule.wait(timeout) {
                Duty::None => false,
                Duty::Start => true,
                Duty::Look => {
                    shared.poll(&mut events, housekeeping.shorten(timeout));
                    shared.schedule.begin_job()
                }
            };
            if start {
                shared.counters.jobs.add(1);
                let job = Job::new(&shared, engine.clone());
                pool.spawn(move || job.run());
                if shared.schedule.was_refused() {
                    thread::sleep(RETRY_DELAY);
                }
            }
        }
        Ok(())
    }
}
