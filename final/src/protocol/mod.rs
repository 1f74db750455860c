//! The wire protocol: JSON, one message a line, so that `nc` is a client.
//!
//! ```text
//! {"Get":{"key":"k"}}               {"Ok":"v"} or {"Ok":null}
//! {"Set":{"key":"k","value":"v"}}   {"Ok":null}
//! {"Remove":{"key":"k"}}            {"Ok":null} or {"Err":"Key not found"}
//! {"Stats":{}}                      {"Ok":"name value\nname value\n…"}, a line a number
//! anything else                     {"Err":"…"}
//! ```
//!
//! Answers come in the order of the requests, and a client may send many before it reads.

mod line_decoder;

pub use line_decoder::{Line, LineDecoder};

use crate::{KvsError, Result};
use serde::{Deserialize, Serialize};

/// The longest line, in bytes with its newline, that either side takes.
pub const MAX_LINE: usize = 16 << 20;
/// How much memory a buffer keeps once the message that needed more is gone, in bytes.
pub(crate) const KEPT_BUFFER: usize = 64 << 10;

/// What a client asks.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    /// The value of `key`.
    Get {
        /// The key.
        key: String,
    },
    /// Give `key` this value.
    Set {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Take `key` and its value away.
    Remove {
        /// The key.
        key: String,
    },
    /// What the server and its engine say about themselves.
    Stats {},
}

/// What the server answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// It is done; with the value if there is one to give.
    Ok(Option<String>),
    /// It is not done; the message says why.
    Err(String),
}

impl From<Result<Option<String>>> for Response {
    fn from(result: Result<Option<String>>) -> Response {
        match result {
            Ok(value) => Response::Ok(value),
            Err(error) => Response::Err(error.to_string()),
        }
    }
}

/// A message as a line.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message).map_err(|e| KvsError::Protocol(e.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

/// The request that a line is, without its newline.
///
/// # Errors
/// [`KvsError::Protocol`], with a message for whoever wrote the line.
pub fn decode(line: &[u8]) -> Result<Request> {
    serde_json::from_slice(line).map_err(|error| KvsError::Protocol(error.to_string()))
}
