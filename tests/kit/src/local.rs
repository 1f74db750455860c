//! A server in the test's own process, so that the engine and the pool can be the test's own.

use crate::{Raw, until};
use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvsEngine, KvsServer, Limits, Result, ServerHandle};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

/// The server. It is stopped when this is dropped, and has to stop in good order.
pub struct Local {
    /// Where it listens.
    pub addr: SocketAddr,
    handle: ServerHandle,
    running: Option<JoinHandle<Result<()>>>,
}

impl Local {
    /// On a pool of two threads.
    pub fn start(engine: impl KvsEngine, limits: Limits) -> Local {
        Local::start_on(SharedQueueThreadPool::new(2).unwrap(), engine, limits)
    }

    /// On a pool of the test's own.
    pub fn start_on(
        pool: impl ThreadPool + Send + 'static,
        engine: impl KvsEngine,
        limits: Limits,
    ) -> Local {
        let addr = ([127, 0, 0, 1], 0).into();
        let server = KvsServer::bind_with(addr, engine, pool, limits).unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        Local { addr, handle, running: Some(thread::spawn(|| server.run())) }
    }

    /// A new connection to it.
    pub fn connect(&self) -> Raw {
        Raw::connect(self.addr)
    }

    /// Tells it to stop; returns when it has begun to.
    pub fn begin_stop(&self) {
        self.handle.shutdown();
        nobody_listens(self.addr);
    }

    /// Stops it and waits for its end.
    pub fn stop(&mut self) {
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
pub fn nobody_listens(addr: SocketAddr) {
    until("nobody listens", || TcpStream::connect(addr).is_err());
}

/// One of the numbers that `stats` gives.
pub fn stat(client: &mut Raw, name: &str) -> u64 {
    let answer = client.ask(r#"{"Stats":{}}"#);
    let text = answer.strip_prefix(r#"{"Ok":""#).unwrap_or_else(|| panic!("{answer}"));
    let value = text.split("\\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}
