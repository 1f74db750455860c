//! A server in the test's own process, so that the engine and the pool can be the test's own.
#![allow(dead_code)] // no test needs all of it

use super::server::{Raw, WATCHDOG};
use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvsEngine, KvsServer, Limits, Result, ServerHandle};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Waits for an event that can only be asked for.
pub(crate) fn until(event: &str, mut happened: impl FnMut() -> bool) {
    let since = Instant::now();
    while !happened() {
        assert!(since.elapsed() < WATCHDOG, "it never happens that {event}");
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) struct Local {
    pub(crate) addr: SocketAddr,
    handle: ServerHandle,
    running: Option<JoinHandle<Result<()>>>,
}

impl Local {
    /// On a pool of two threads.
    pub(crate) fn start(engine: impl KvsEngine, limits: Limits) -> Local {
        Local::start_on(SharedQueueThreadPool::new(2).unwrap(), engine, limits)
    }

    pub(crate) fn start_on(
        pool: impl ThreadPool + Send + 'static,
        engine: impl KvsEngine,
        limits: Limits,
    ) -> Local {
        let addr = ([127, 0, 0, 1], 0).into();
        let server = KvsServer::bind_with(addr, engine, pool, limits).unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        Local { addr, handle, running: Some(thread::spawn(|| server.run())) }
    }

    pub(crate) fn connect(&self) -> Raw {
        Raw::connect(self.addr)
    }

    /// Tells it to stop; returns when it has begun to.
    pub(crate) fn begin_stop(&self) {
        self.handle.shutdown();
        is_deaf(self.addr);
    }

    /// Stops it and waits for its end.
    pub(crate) fn stop(&mut self) {
        self.handle.shutdown();
        if let Some(running) = self.running.take() {
            until("the server stops", || running.is_finished());
            running.join().unwrap().unwrap();
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if thread::panicking() {
            // The test has failed already, and perhaps because the server does not stop.
            self.handle.shutdown();
        } else {
            self.stop();
        }
    }
}

/// Waits until nobody listens there.
pub(crate) fn is_deaf(addr: SocketAddr) {
    until("nobody listens", || TcpStream::connect(addr).is_err());
}

/// A figure of `stats`.
pub(crate) fn figure(client: &mut Raw, name: &str) -> u64 {
    let answer = client.ask(r#"{"Stats":{}}"#);
    let text = answer.strip_prefix(r#"{"Ok":""#).unwrap_or_else(|| panic!("{answer}"));
    let value = text.split("\\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}
