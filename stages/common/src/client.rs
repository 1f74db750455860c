use crate::protocol::{self, Line, Request, Response};
use crate::{KvsError, Result};
use std::io::{BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};

/// A connection to a server. One request at a time: each call waits for its answer.
pub struct KvsClient {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl KvsClient {
    /// Connects to a server.
    pub fn connect(addr: impl ToSocketAddrs) -> Result<KvsClient> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(KvsClient { stream: BufReader::new(stream), line: Vec::new() })
    }

    /// The value of `key`, if it has one.
    pub fn get(&mut self, key: String) -> Result<Option<String>> {
        self.ask(&Request::Get { key })
    }

    /// Gives `key` the value.
    pub fn set(&mut self, key: String, value: String) -> Result<()> {
        self.ask(&Request::Set { key, value }).map(drop)
    }

    /// Takes `key` and its value away.
    ///
    /// # Errors
    /// [`KvsError::KeyNotFound`] if it has none.
    pub fn remove(&mut self, key: String) -> Result<()> {
        self.ask(&Request::Remove { key }).map(drop)
    }

    fn ask(&mut self, request: &Request) -> Result<Option<String>> {
        self.stream.get_mut().write_all(&protocol::encode(request)?)?;
        match protocol::read_line(&mut self.stream, &mut self.line)? {
            Line::Whole => {}
            Line::End => return Err(KvsError::Server("the server closed the connection".into())),
            Line::TooLong => return Err(KvsError::Protocol("the answer is too long".into())),
        }
        match serde_json::from_slice(&self.line) {
            Ok(Response::Ok(value)) => Ok(value),
            Ok(Response::Err(message)) if message == KvsError::KeyNotFound.to_string() => {
                Err(KvsError::KeyNotFound)
            }
            Ok(Response::Err(message)) => Err(KvsError::Server(message)),
            Err(error) => Err(KvsError::Protocol(error.to_string())),
        }
    }
}
