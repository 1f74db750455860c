use crate::KvsEngine;
use kvs_common::protocol::{Connection, Request};
use kvs_common::{KvsError, Result};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::{thread, time::Duration};

/// A server that serves one client after the other.
pub struct KvsServer<E> {
    listener: TcpListener,
    engine: E,
}

impl<E: KvsEngine> KvsServer<E> {
    /// Listens on `addr`; port 0 lets the system choose.
    pub fn bind(addr: SocketAddr, engine: E) -> Result<Self> {
        let listener =
            TcpListener::bind(addr).map_err(|source| KvsError::Listen { addr, source })?;
        Ok(KvsServer { listener, engine })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until the process ends.
    pub fn run(mut self) -> Result<()> {
        for stream in self.listener.incoming() {
            match stream {
                Ok(stream) => {
                    if let Err(error) = serve(&mut self.engine, stream) {
                        log::debug!("connection lost: {error}");
                    }
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

fn serve(engine: &mut impl KvsEngine, stream: TcpStream) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.next_request()? {
        connection.answer(request.and_then(|request| execute(engine, request)))?;
    }
    Ok(())
}

fn execute(engine: &mut impl KvsEngine, request: Request) -> Result<Option<String>> {
    match request {
        Request::Get { key } => engine.get(key),
        Request::Set { key, value } => engine.set(key, value).map(|()| None),
        Request::Remove { key } => engine.remove(key).map(|()| None),
    }
}
