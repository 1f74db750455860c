//! The server: it accepts connections and makes each one a task of the runtime.

use kvs_common::protocol::{Line, MAX_LINE, Request, Response, encode};
use kvs_common::{KvsError, Result};
use lock_free::{KvStore, KvsEngine};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio::{pin, select};

/// How long a connection may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How many bytes of answers are gathered before they are sent although more requests wait.
const MAX_OUTPUT: usize = 64 << 10;

/// A server for the engine of stage 7.
pub struct KvsServer {
    listener: TcpListener,
    engine: KvStore,
    spawn_blocking: bool,
}

impl KvsServer {
    /// Listens on `addr`; port 0 lets the system choose. Either the worker that runs a task calls the
    /// engine, which blocks, or with `spawn_blocking` another thread.
    pub async fn bind(addr: SocketAddr, engine: KvStore, spawn_blocking: bool) -> Result<Self> {
        let listener = TcpListener::bind(addr).await;
        let listener = listener.map_err(|source| KvsError::Listen { addr, source })?;
        Ok(KvsServer { listener, engine, spawn_blocking })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop` has ended. Then it takes no more connections, answers the requests that
    /// are being executed, closes the connections, and returns. What is not done after five seconds
    /// is cut off.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        // Nothing is ever sent: the tasks notice when `running` is dropped.
        let (running, stopped) = watch::channel(());
        pin!(stop);
        loop {
            select! {
                () = &mut stop => break,
                // One that has ended, or panicked; the panic has been reported.
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (engine, stopped) = (self.engine.clone(), stopped.clone());
                        let connection = serve(engine, self.spawn_blocking, stream, stopped);
                        connections.spawn(async {
                            if let Err(error) = connection.await {
                                log::debug!("connection lost: {error}");
                            }
                        });
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: trying again at once would only spin.
                        kvs_common::warn_seldom(format_args!("cannot accept: {error}"));
                        sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop((self.listener, running));
        let all_closed = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, all_closed).await.is_err() {
            connections.shutdown().await;
        }
    }
}

/// Serves a connection until the client is done or the server stops.
async fn serve(
    engine: KvStore,
    elsewhere: bool,
    stream: TcpStream,
    mut stopped: watch::Receiver<()>,
) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    loop {
        let request = select! {
            biased;
            _ = stopped.changed() => break,
            request = connection.next_request() => match request? {
                Some(request) => request,
                None => break,
            },
        };
        let result = match request {
            Ok(request) if elsewhere => {
                let engine = engine.clone();
                let call = spawn_blocking(move || execute(&engine, request));
                call.await.map_err(std::io::Error::from)?
            }
            request => request.and_then(|request| execute(&engine, request)),
        };
        connection.answer(result).await?;
    }
    connection.flush().await
}

fn execute(engine: &KvStore, request: Request) -> Result<Option<String>> {
    match request {
        Request::Get { key } => engine.get(key),
        Request::Set { key, value } => engine.set(key, value).map(|()| None),
        Request::Remove { key } => engine.remove(key).map(|()| None),
    }
}

/// The `Connection` of `kvs_common::protocol` once more, where that waits with an `.await`.
struct Connection {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
    /// What was sent is taken out at its front: a `flush` that is dropped half-way and called again
    /// sends each byte once.
    output: VecDeque<u8>,
}

impl Connection {
    fn new(stream: TcpStream) -> Result<Connection> {
        stream.set_nodelay(true)?;
        let stream = BufReader::new(stream);
        Ok(Connection { stream, line: Vec::new(), output: VecDeque::new() })
    }

    async fn next_request(&mut self) -> Result<Option<Result<Request>>> {
        // Before it waits for a line, it sends what the client may be waiting for.
        if !self.stream.buffer().contains(&b'\n') {
            self.flush().await?;
        }
        Ok(match self.read_line().await? {
            Line::End => None,
            Line::TooLong => {
                let message = format!("the line is longer than {MAX_LINE} bytes");
                Some(Err(KvsError::Protocol(message)))
            }
            Line::Whole => {
                let request = serde_json::from_slice(&self.line);
                Some(request.map_err(|error| KvsError::Protocol(error.to_string())))
            }
        })
    }

    async fn read_line(&mut self) -> Result<Line> {
        let mut is_too_long = false;
        loop {
            self.line.clear();
            self.line.shrink_to(MAX_OUTPUT);
            let mut limited = (&mut self.stream).take(MAX_LINE as u64);
            limited.read_until(b'\n', &mut self.line).await?;
            match self.line.pop_if(|last| *last == b'\n') {
                Some(_) if is_too_long => return Ok(Line::TooLong),
                Some(_) => return Ok(Line::Whole),
                None if self.line.len() < MAX_LINE => return Ok(Line::End),
                None => is_too_long = true,
            }
        }
    }

    async fn answer(&mut self, response: impl Into<Response>) -> Result<()> {
        self.output.extend(encode(&response.into())?);
        if self.output.len() > MAX_OUTPUT { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.get_mut().write_all_buf(&mut self.output).await?;
        self.output.shrink_to(MAX_OUTPUT);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flush_that_is_dropped_half_way_and_called_again_sends_each_byte_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = Connection::new(listener.accept().await.unwrap().0).unwrap();
        let sent: Vec<u8> = (0..16 << 20).map(|number| (number % 251) as u8).collect();
        connection.output.extend(&sent);
        // The socket takes a part of it.
        assert!(timeout(Duration::ZERO, connection.flush()).await.is_err());
        let mut received = vec![0; sent.len()];
        let (read, flushed) = tokio::join!(client.read_exact(&mut received), connection.flush());
        assert_eq!((read.unwrap(), flushed.is_ok()), (sent.len(), true));
        assert!(received == sent && client.try_read(&mut [0]).is_err());
    }
}
