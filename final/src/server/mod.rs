//! The server: any number of connections, and an event loop on each thread of the pool.
//!
//! ```text
//!   clients ────────▶ acceptor                    the server's own thread: it takes connections in, looks
//!                     watchdog                    after loops that are held up, sweeps for deadlines
//!                  ┌─────┴──────┐
//!                  ▼            ▼
//!   clients ◀──▶ event loop   event loop   …      jobs on a ThreadPool: each waits for its own connections,
//!                  │            │                 reads, executes, answers
//!                  └─────┬──────┘
//!                        ▼
//!                      engine                     a get at once; the sets of a round together
//! ```
//!
//! A connection belongs to the loop that had the fewest when it came. From a request to its answer a loop touches
//! no lock and no counter that another loop writes (the engine's apart), so what one loop does costs the
//! others nothing. Numbers that clients ask for are added up when they ask.
//!
//! What a request meets, in this order:
//!
//! | file | what |
//! |---|---|
//! | `system.rs` | takes an address, listens on it, and sets options of sockets |
//! | `acceptor.rs` | takes a connection in, and picks its loop |
//! | `poller.rs` | says that it has sent something |
//! | `event_loop.rs`, `job.rs` | a loop: what it has to do; its thread, which does it |
//! | `turn.rs`, `io.rs` | a turn of a connection: reads, executes, answers |
//! | `connection.rs`, `timeouts.rs` | what state that leaves it in, without a socket |
//! | `requests.rs`, `writes.rs` | executes requests; keeps answers in their order |
//!
//! And beside it:
//!
//! | file | what |
//! |---|---|
//! | `notes.rs` | whether a thread looks after a connection, and what has happened to it |
//! | `watchdog.rs` | helps a loop that is held up; deadlines; the end |
//! | `limits.rs`, `stats.rs` | what clients may ask for; what is counted |
//! | `common.rs`, `shared.rs` | what connections share; what threads share |
//!
//! A loop that is held up (a slow disk, an engine that blocks, a huge request) holds up nobody else: within four
//! milliseconds the watchdog gives its other connections to another loop, until it goes on.
//! When all are held up, what clients send waits in their sockets: that is the back-pressure.
//! A write that waits for a sync holds up no loop, nor does a get that waits for another machine: the engine is told
//! whom to call when it is done ([`KvsEngine::round`], [`KvsEngine::get_then`]). A panic costs the connection whose
//! request it was in, or those whose writes the engine had in its hands.
//!
//! A file uses only files above it in this list: `limits`, `stats`, `timeouts`, `common`; `poller`, `notes`, `writes`;
//! `event_loop`, `connection`, `io`, `requests`; `turn`; `shared`; `job`, `acceptor`, `watchdog`.

mod acceptor;
mod common;
mod connection;
mod event_loop;
mod io;
mod job;
mod limits;
mod notes;
mod poller;
mod requests;
mod shared;
mod stats;
mod system;
mod timeouts;
mod turn;
mod watchdog;
mod writes;

pub use limits::Limits;
pub(crate) use system::Socket;

use crate::thread_pool::ThreadPool;
use crate::{KvsEngine, Result};
use acceptor::Acceptor;
use job::Job;
use shared::Shared;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use watchdog::Watchdog;

/// A server for any engine, run by any pool.
pub struct KvsServer<E, P> {
    listener: TcpListener,
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
        let listener = socket.listen(&limits)?;
        Ok(KvsServer { listener, engine, pool, shared: Arc::new(Shared::new(limits)?) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Something to stop the server with, from any thread.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle(Arc::clone(&self.shared))
    }

    /// Serves until [`ServerHandle::shutdown`]. Then it takes no more connections, answers the
    /// requests that have arrived (of what it has not read yet, the first 64 KiB of each connection),
    /// closes the connections, lets the engine go, and returns. Connections that are not done after five
    /// seconds, or whose clients go on sending until then, are aborted. What is within the engine then is
    /// waited for: a store that syncs has to come to its end.
    ///
    /// # Errors
    /// If the system refuses to watch for new connections, or to wait.
    pub fn run(self) -> Result<()> {
        let KvsServer { listener, engine, pool, shared } = self;
        let mut acceptor = Some(Acceptor::new(listener, &shared)?);
        let mut watchdog = Watchdog::new(&shared);
        let start = |number| {
            let job = Job::new(&shared, number, engine.clone());
            shared.started_jobs.add(1);
            pool.spawn(move || job.run());
        };
        while let Some(mut timeout) = watchdog.tick(start) {
            if shared.common.is_stopping() {
                // Nobody can connect any more.
                acceptor = None;
            } else if let Some(soon) = acceptor.as_mut().and_then(|some| some.accept(&shared)) {
                timeout = timeout.min(soon);
            }
            shared.poller.wait(Some(timeout), |event| {
                acceptor.iter_mut().for_each(|acceptor| acceptor.notice(event));
            })?;
        }
        Ok(())
    }
}

/// Stops a server. Clones stop the same server.
#[derive(Clone)]
pub struct ServerHandle(Arc<Shared>);

impl ServerHandle {
    /// Tells the server to stop; its `run` returns when it has. Does not wait for that.
    pub fn shutdown(&self) {
        self.0.begin_stop();
    }
}
