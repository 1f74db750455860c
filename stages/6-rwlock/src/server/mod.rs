//! The server: it accepts connections and gives each one as a job to a pool.

mod shutdown;

pub use shutdown::ServerHandle;

use crate::KvsEngine;
use crate::thread_pool::ThreadPool;
use kvs_common::protocol::{Connection, Request};
use kvs_common::{KvsError, Result};
use shutdown::{OpenConnection, Shutdown};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::{thread, time::Duration};

/// A server for any engine, run by any pool.
pub struct KvsServer<E, P> {
    listener: TcpListener,
    engine: E,
    pool: P,
    shutdown: Arc<Shutdown>,
}

impl<E: KvsEngine, P: ThreadPool> KvsServer<E, P> {
    /// Listens on `addr`; port 0 lets the system choose.
    pub fn bind(addr: SocketAddr, engine: E, pool: P) -> Result<Self> {
        let listener =
            TcpListener::bind(addr).map_err(|source| KvsError::Listen { addr, source })?;
        let shutdown = Arc::new(Shutdown::new(listener.local_addr()?));
        Ok(KvsServer { listener, engine, pool, shutdown })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Something to stop the server with, from any thread.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(&self.shutdown)
    }

    /// Serves until [`ServerHandle::shutdown`]. Then it takes no more connections, answers the
    /// requests that are being executed, closes the connections, and returns. What is not done
    /// after five seconds is cut off.
    pub fn run(self) -> Result<()> {
        while !self.shutdown.has_begun() {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let engine = self.engine.clone();
                    let open = self.shutdown.register(stream);
                    self.pool.spawn(move || {
                        if let Err(error) = serve(engine, &open) {
                            log::debug!("connection lost: {error}");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: trying again at once would only spin.
                    kvs_common::warn_seldom(format_args!("cannot accept: {error}"));
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
        self.shutdown.wait();
        Ok(())
    }
}

/// Serves a connection. The engine is dropped before `open` is: once no connection is open,
/// their shares in the engine are gone too.
fn serve(engine: impl KvsEngine, open: &OpenConnection) -> Result<()> {
    let mut connection = Connection::new(open.stream())?;
    while !open.shutdown_has_begun()
        && let Some(request) = connection.next_request()?
    {
        connection.answer(request.and_then(|request| execute(&engine, request)))?;
    }
    connection.flush()
}

fn execute(engine: &impl KvsEngine, request: Request) -> Result<Option<String>> {
    match request {
        Request::Get { key } => engine.get(key),
        Request::Set { key, value } => engine.set(key, value).map(|()| None),
        Request::Remove { key } => engine.remove(key).map(|()| None),
    }
}
