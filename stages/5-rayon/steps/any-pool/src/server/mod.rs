use crate::KvsEngine;
use crate::thread_pool::ThreadPool;
use kvs_common::protocol::{Connection, Request};
use kvs_common::{KvsError, Result};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::{thread, time::Duration};

/// A server for any engine, run by any pool.
pub struct KvsServer<E, P> {
    listener: TcpListener,
    engine: E,
    pool: P,
}

impl<E: KvsEngine, P: ThreadPool> KvsServer<E, P> {
    /// Listens on `addr`; port 0 lets the system choose.
    pub fn bind(addr: SocketAddr, engine: E, pool: P) -> Result<Self> {
        let listener =
            TcpListener::bind(addr).map_err(|source| KvsError::Listen { addr, source })?;
        Ok(KvsServer { listener, engine, pool })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until the process ends.
    pub fn run(self) -> Result<()> {
        for stream in self.listener.incoming() {
            match stream {
                Ok(stream) => {
                    let engine = self.engine.clone();
                    self.pool.spawn(move || {
                        if let Err(error) = serve(&engine, stream) {
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
        Ok(())
    }
}

fn serve(engine: &impl KvsEngine, stream: TcpStream) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.next_request()? {
        connection.answer(request.and_then(|request| execute(engine, request)))?;
    }
    Ok(())
}

fn execute(engine: &impl KvsEngine, request: Request) -> Result<Option<String>> {
    match request {
        Request::Get { key } => engine.get(key),
        Request::Set { key, value } => engine.set(key, value).map(|()| None),
        Request::Remove { key } => engine.remove(key).map(|()| None),
    }
}
