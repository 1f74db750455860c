//! The wire protocol: JSON, one message a line, so that `nc` is a client.
//!
//! ```text
//! {"Get":{"key":"k"}}               {"Ok":"v"} or {"Ok":null}
//! {"Set":{"key":"k","value":"v"}}   {"Ok":null}
//! {"Remove":{"key":"k"}}            {"Ok":null} or {"Err":"Key not found"}
//! {"CompareAndSet":{"key":"k","expected":"v","new":"w"}}
//!                                   {"Ok":null} or {"Err":"The value is not the expected one"}
//! {"Batch":{"writes":[["k","v"],["l",null]]}}
//!                                   {"Ok":null}, also where `l`, which it removes, is not there
//! {"Len":{}}                        {"Len":2}, the number of keys
//! {"Keys":{"cursor":null,"limit":100}}
//!                                   {"Keys":{"keys":["k","l"],"cursor":"…"}}, null behind the last page
//! {"Stats":{}}                      {"Ok":"name value\nname value\n…"}, a line a number
//! anything else                     {"Err":"…"}
//! ```
//!
//! `null`, or nothing, stands for no value in `expected` and `new`, and for the first page in `cursor`.
//!
//! Answers come in the order of the requests, and a client may send many before it reads. A connection
//! ends with its error if a line is [of another protocol](is_foreign): what a web page or a mail program
//! sends may have requests in it that somebody else wrote.

mod line_decoder;

pub use line_decoder::{Line, LineDecoder};

use crate::{KvsError, Page, Result, Write};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::error::Error;

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
    /// Give `key` the value `new` if its value is `expected`.
    CompareAndSet {
        /// The key.
        key: String,
        /// The value that it must have.
        expected: Option<String>,
        /// Its value from now on.
        new: Option<String>,
    },
    /// Set keys and remove others, all of them or none.
    Batch {
        /// Keys, and the value that each has from now on.
        writes: Vec<(String, Option<String>)>,
    },
    /// How many keys there are.
    Len {},
    /// Some of the keys.
    Keys {
        /// The cursor of the page before; none for the first one.
        cursor: Option<String>,
        /// How many keys there may be on the page.
        limit: usize,
    },
    /// What the server and its engine say about themselves.
    Stats {},
}

impl Request {
    /// The write that it asks for.
    ///
    /// # Errors
    /// The request itself, if it asks for none.
    pub fn into_write(self) -> std::result::Result<Write, Request> {
        Ok(match self {
            Request::Set { key, value } => Write::Set { key, value },
            Request::Remove { key } => Write::Remove { key },
            Request::CompareAndSet { key, expected, new } => {
                Write::CompareAndSet { key, expected, new }
            }
            Request::Batch { writes } => Write::Batch(writes),
            other => return Err(other),
        })
    }

    /// The keys and values in it, in pairs.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let (some, many): (_, &[(String, Option<String>)]) = match self {
            Request::Get { key } | Request::Remove { key } => ([Some((&**key, "")), None], &[]),
            Request::Set { key, value } => ([Some((&**key, &**value)), None], &[]),
            Request::CompareAndSet { key, expected, new } => {
                let expected = expected.as_deref().unwrap_or_default();
                ([Some((&**key, expected)), new.as_deref().map(|value| ("", value))], &[])
            }
            Request::Batch { writes } => ([None; 2], writes),
            Request::Len {} | Request::Keys { .. } | Request::Stats {} => ([None; 2], &[]),
        };
        let many = many.iter().map(|(key, value)| (&**key, value.as_deref().unwrap_or_default()));
        some.into_iter().flatten().chain(many)
    }
}

impl From<Write> for Request {
    fn from(write: Write) -> Request {
        match write {
            Write::Set { key, value } => Request::Set { key, value },
            Write::Remove { key } => Request::Remove { key },
            Write::CompareAndSet { key, expected, new } => {
                Request::CompareAndSet { key, expected, new }
            }
            Write::Batch(writes) => Request::Batch { writes },
        }
    }
}

/// What the server answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// It is done; with the value if there is one to give.
    Ok(Option<String>),
    /// It is not done; the message says why.
    Err(String),
    /// How many keys there are.
    Len(u64),
    /// Some of the keys.
    Keys(Page),
}

impl From<Result<Response>> for Response {
    fn from(result: Result<Response>) -> Response {
        result.unwrap_or_else(|error| Response::Err(error.to_string()))
    }
}

/// Appends a message as a line.
pub fn encode(bytes: &mut Vec<u8>, message: &impl Serialize) {
    // Strings and a vector have nothing to refuse.
    let written = serde_json::to_writer(&mut *bytes, message);
    debug_assert!(written.is_ok());
    bytes.push(b'\n');
}

/// The request that a line is, without its newline.
///
/// # Errors
/// [`KvsError::Protocol`], with a message for whoever wrote the line.
pub fn decode(line: &[u8]) -> Result<Request> {
    let refused = |error: &dyn Error| KvsError::Protocol(error.to_string());
    // The line as a whole: serde_json would look at each string in it by itself.
    let text = str::from_utf8(line).map_err(|error| refused(&error))?;
    let request = serde_json::from_str(text).map_err(|error| refused(&error))?;
    // serde takes an array for a struct. The names of the messages have no colon.
    let fields = memchr::memchr(b':', line).map(|colon| line[colon + 1..].trim_ascii_start());
    match fields {
        Some([b'{', ..]) => Ok(request),
        _ => Err(KvsError::Protocol("the fields of a message are an object".to_owned())),
    }
}

/// Whether a line is a JSON object, a message or not.
pub fn is_object(line: &[u8]) -> bool {
    begins_object(line) && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// Whether a line, or what has arrived of it, is of another protocol: the first one if it begins as no
/// JSON object, any other if it begins with a method of HTTP or with `Host:`.
pub fn is_foreign(line: &[u8], is_first: bool) -> bool {
    const HTTP: [&[u8]; 11] = [
        b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PRI *", b"PUT",
        b"TRACE", b"Host:",
    ];
    let begins =
        |text: &&[u8]| line.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    !begins_object(line) && (is_first || HTTP.iter().any(begins))
}

/// As far as it has arrived.
fn begins_object(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start(), [] | [b'{', ..])
}
