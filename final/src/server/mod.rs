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
//! no lock that another loop takes on its way, and no counter that another loop writes, so what one loop does costs
//! the others nothing (`benches/touched.rs` counts it). The engine has its own, and a loop that is held up gets
//! help. Numbers that clients ask for are added up when they ask.
//!
//! **A request, from the socket and back:**
//!
//! 1. The acceptor takes the connection in, gives it to the loop that has the fewest, and has the loop's poller
//!    watch it (`acceptor.rs`).
//! 2. Bytes come: the poller ends the wait of the loop's thread, which notes that the connection is readable and
//!    queues it, unless a thread has it already (`poller.rs`, `event_loop.rs`, `notes.rs`).
//! 3. The thread takes it from the queue and gives it a *turn* (`job.rs`, `turn.rs`).
//! 4. The turn first sends what is left of earlier answers; while the client does not take them, it goes no
//!    further (`io.rs`).
//! 5. It reads once, at most 64 KiB, if its [state](state::State) says so (`state.rs`).
//! 6. It executes the requests that have arrived in full, for a millisecond at most: a get at once; a set is kept for
//!    the *round* (`requests.rs`).
//!    A get behind sets has to see them. If there are at most 16 sets, they go to the engine there and then; behind
//!    more, or if the engine isn't done with them at once, the get is held back until it is. An engine whose gets wait
//!    is given all the sets first, and then the get, which it only begins.
//! 7. With sets the turn pauses here. When the other ready connections have had their turns, or a millisecond is
//!    over, the loop gives all their sets to the engine together, and goes on with each turn (`job.rs`). A round
//!    doesn't take longer than a millisecond either: turns that it hasn't come to are of the next one.
//! 8. The engine calls back when a set is done, at once or later and from any thread; if it's later, and the
//!    connection's first answer is there with it, the connection is queued for another turn (`writes.rs`).
//! 9. The turn collects the answers as far as all before them are there, and sends them with one call (`turn.rs`).
//! 10. The state says what comes next: wait for the poller, the engine or a deadline, have another turn, say that no
//!     more answers come, or close (`state.rs`, `timeouts.rs`).
//!
//! Beside it, `connection.rs` is what threads may do to a connection at any time; `watchdog.rs` helps a loop
//! that is held up, wakes connections whose deadline has passed, and sees to the end; `limits.rs`, `stats.rs`,
//! `shared.rs` and `loop_group.rs` are what clients may ask for, what is counted, what connections share and what
//! threads share. (`../os.rs` is the address to listen on.)
//!
//! A loop that is held up (a slow disk, an engine that blocks, a huge request) holds up no clients but the one whose
//! turn it is, or those whose writes are in the round that the engine is doing. Within four milliseconds the watchdog
//! finds out, looks into the loop's poller in its place, and gives what its other connections have to do to another
//! loop, until it goes on. They still belong to it; but after a turn elsewhere, the next one is there, too, if there's
//! more to do at once. When all are held up, what clients send waits in their sockets: that is the back-pressure. A
//! write that waits for its own sync holds up no loop, nor does a get that waits for another machine: the engine is
//! told whom to call when it is done ([`KvsEngine::round`], [`KvsEngine::get_then`]). A panic costs the connection
//! whose request it was in (`connection.rs`), or those whose writes the engine had in its hands (`writes.rs`).
//!
//! A file uses only files above it in this list: `limits`, `stats`, `timeouts`, `shared`; `poller`, `notes`, `writes`;
//! `event_loop`, `io`, `state`, `requests`; `connection`; `turn`; `loop_group`; `job`, `acceptor`, `watchdog`.
//! `models.rs` isn't a part of the server: `../models` compiles it, for loom.

mod acceptor;
mod connection;
mod event_loop;
mod io;
mod job;
mod limits;
mod loop_group;
mod notes;
mod poller;
mod requests;
mod shared;
mod state;
mod stats;
mod timeouts;
mod turn;
mod watchdog;
mod writes;

pub use limits::Limits;

use crate::os::Socket;
use crate::thread_pool::ThreadPool;
use crate::{KvsEngine, Result};
use acceptor::Acceptor;
use job::Job;
use loop_group::LoopGroup;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use watchdog::Watchdog;

/// A server for any engine, run by any pool.
pub struct KvsServer<E, P> {
    listener: TcpListener,
    engine: E,
    pool: P,
    group: Arc<LoopGroup>,
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
        let listener = socket.listen(limits.keepalive_time, limits.answer_time)?;
        Ok(KvsServer { listener, engine, pool, group: Arc::new(LoopGroup::new(limits)?) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Something to stop the server with, from any thread.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle(Arc::clone(&self.group))
    }

    /// Serves until [`ServerHandle::shutdown`]. Then it takes no more connections, answers the
    /// requests that have arrived (of what it has not read yet, the first 64 KiB of each connection),
    /// closes the connections, lets the engine go, and returns. Connections that are not done after five
    /// seconds, or whose clients go on sending until then, are aborted. What is within the engine then is
    /// waited for: a store that syncs has to come to its end.
    ///
    /// # Errors
    /// If the system refuses to watch for new connections; or to wait for them, which stops the server in this order, too.
    pub fn run(self) -> Result<()> {
        let KvsServer { listener, engine, pool, group } = self;
        let mut acceptor = Some(Acceptor::new(listener, &group)?);
        let mut watchdog = Watchdog::new(&group);
        let start = |number| {
            let job = Job::new(&group, number, engine.clone());
            group.started_jobs.add(1);
            pool.spawn(move || job.run());
        };
        let mut failed = None;
        while let Some(mut timeout) = watchdog.tick(start) {
            if group.shared.is_stopping() {
                // From now on clients are refused by the system.
                acceptor = None;
            } else if let Some(soon) = acceptor.as_mut().and_then(|some| some.accept(&group)) {
                timeout = timeout.min(soon);
            }
            let waited = group.poller.wait(Some(timeout), |event| {
                acceptor.iter_mut().for_each(|acceptor| acceptor.notice(event));
            });
            if let Err(error) = waited {
                // The loops have to end before the pool can.
                failed.get_or_insert(error);
                group.begin_stop();
                thread::sleep(timeout.min(job::PAUSE));
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Stops a server. Clones stop the same server.
#[derive(Clone)]
pub struct ServerHandle(Arc<LoopGroup>);

impl ServerHandle {
    /// Tells the server to stop; its `run` returns when it has. Does not wait for that.
    pub fn shutdown(&self) {
        self.0.begin_stop();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::KvStore;
    use crate::sync::INJECTED;
    use crate::thread_pool::SharedQueueThreadPool;

    #[test]
    fn a_server_whose_own_thread_cannot_wait_ends_its_loops_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let (store, pool) =
            (KvStore::open(dir.path()).unwrap(), SharedQueueThreadPool::new(2).unwrap());
        let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), store, pool).unwrap();
        // For this thread alone.
        INJECTED.set("the system refuses to wait");
        assert_eq!(server.run().unwrap_err().to_string(), "I/O error: unsupported");
        KvStore::open(dir.path()).unwrap();
    }
}
