use super::error;
use crate::panic::catch_panic;
use crate::{KvsError, Result, Write};
use redis::cluster_routing::Slot;
use redis::{Pipeline, ServerError, ServerErrorKind, Value};

/// What is called with what became of something.
pub(super) type Then<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// What a client asks for, and who is told.
pub(super) enum Request {
    Get { key: String, done: Then<Option<String>> },
    Write { write: Write, done: Then<()> },
}

/// How a reply to a request is to be taken.
pub(super) enum Reply {
    /// It was the answer, and the client has it.
    Answered,
    /// The node has not done it; `why` it says.
    Refused { request: Request, why: Refusal },
}

/// Why a node has not done what it was asked.
pub(super) enum Refusal {
    /// Another node has the slot.
    Moved(String, u16),
    /// The slot is on its way to another node, which may have the key already.
    Ask(String, u16),
    /// It may later, or another node may.
    NotNow(String),
}

// Each of them is one command, which a node does as a whole or not at all, and does nothing else meanwhile.
const COMPARE_AND_SET: &str = "\
    if redis.call('GET', KEYS[1]) ~= (ARGV[1] == '=' and ARGV[2]) then return 0 end \
    if ARGV[3] == '=' then redis.call('SET', KEYS[1], ARGV[4]) else redis.call('DEL', KEYS[1]) end \
    return 1";
const BATCH: &str = "\
    for i, key in ipairs(KEYS) do \
      if ARGV[2 * i - 1] == '=' then redis.call('SET', key, ARGV[2 * i]) else redis.call('DEL', key) end \
    end \
    return 1";

impl Request {
    /// The hash slot that its keys are in; of an empty batch, any.
    pub(super) fn slot(&self) -> Result<Slot> {
        let mut slots = self.keys().map(|(key, _)| Slot::for_key(key));
        let first = slots.next().unwrap_or_else(|| Slot::for_key(""));
        let what = "batch over several hash slots (a common `{tag}` in the keys makes it one)";
        slots.all(|slot| slot == first).then_some(first).ok_or(KvsError::Unsupported { what })
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Request::Write { .. })
    }

    /// Whether one of them has to be done before the other is begun.
    pub(super) fn conflicts_with(&self, other: &Request) -> bool {
        let is_in_other = |key| other.keys().any(|(of_other, _)| of_other == key);
        (self.is_write() || other.is_write()) && self.keys().any(|(key, _)| is_in_other(key))
    }

    fn keys(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let (one, changes) = match self {
            Request::Get { key, .. } => (Some((&**key, None)), None),
            Request::Write { write, .. } => (None, Some(write.changes())),
        };
        one.into_iter().chain(changes.into_iter().flatten())
    }

    /// Adds its command, which has one reply.
    pub(super) fn add_to(&self, pipeline: &mut Pipeline) {
        let write = match self {
            Request::Get { key, .. } => {
                pipeline.cmd("GET").arg(key);
                return;
            }
            Request::Write { write, .. } => write,
        };
        match write {
            Write::Set { key, value } => pipeline.cmd("SET").arg(key).arg(value),
            Write::Remove { key } => pipeline.cmd("DEL").arg(key),
            Write::CompareAndSet { key, expected, new } => {
                let command = pipeline.cmd("EVAL").arg(COMPARE_AND_SET).arg(1).arg(key);
                command.arg(change(expected)).arg(change(new))
            }
            Write::Batch(writes) => {
                let keys: Vec<&str> = writes.iter().map(|(key, _)| &**key).collect();
                let changes: Vec<_> = writes.iter().map(|(_, value)| change(value)).collect();
                pipeline.cmd("EVAL").arg(BATCH).arg(keys.len()).arg(keys).arg(changes)
            }
        };
    }

    /// Tells the client, unless the node has not done it. `kept` says whether a write is where it
    /// has to be.
    pub(super) fn take(self, reply: Value, kept: &Result<()>) -> Reply {
        let reply = match reply {
            Value::ServerError(refused) => match Refusal::of(&refused) {
                Some(why) => return Reply::Refused { request: self, why },
                None => {
                    self.fail(error(told(&refused)));
                    return Reply::Answered;
                }
            },
            reply => reply,
        };
        match self {
            Request::Get { done, .. } => catch_panic(|| done(value(reply))),
            Request::Write { write, done } => {
                let result = match (&write, reply) {
                    (Write::Set { .. }, Value::Okay) => kept.clone(),
                    (_, Value::Int(1)) => kept.clone(),
                    (Write::Remove { .. }, Value::Int(0)) => Err(KvsError::KeyNotFound),
                    (Write::CompareAndSet { .. }, Value::Int(0)) => Err(KvsError::Mismatch),
                    (_, other) => Err(unexpected(&other)),
                };
                catch_panic(|| done(result));
            }
        }
        Reply::Answered
    }

    /// Tells the client that it failed.
    pub(super) fn fail(self, error: KvsError) {
        match self {
            Request::Get { done, .. } => catch_panic(|| done(Err(error))),
            Request::Write { done, .. } => catch_panic(|| done(Err(error))),
        }
    }
}

/// A value, or none, as two arguments of a script.
fn change(value: &Option<String>) -> (&str, &str) {
    value.as_deref().map_or(("-", ""), |value| ("=", value))
}

fn value(reply: Value) -> Result<Option<String>> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(value) => match String::from_utf8(value) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(error("the value in the cluster is not UTF-8")),
        },
        other => Err(unexpected(&other)),
    }
}

pub(super) fn unexpected(reply: &Value) -> KvsError {
    match reply {
        Value::ServerError(refused) => error(told(refused)),
        other => error(format!("a node answered something else: {other:?}")),
    }
}

/// What a node says in an error.
fn told(refused: &ServerError) -> String {
    format!("{} {}", refused.code(), refused.details().unwrap_or_default())
}

impl Refusal {
    fn of(refused: &ServerError) -> Option<Refusal> {
        use ServerErrorKind::{
            Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain,
        };
        let not_now = || Refusal::NotNow(told(refused));
        match refused.kind()? {
            kind @ (Moved | Ask) => {
                let target = refused.details().and_then(|details| {
                    let (host, port) = details.split_once(' ')?.1.rsplit_once(':')?;
                    Some((host.to_owned(), port.parse().ok()?))
                });
                Some(match target {
                    // Without a host it is the one that answers: rare, and the slots tell it too.
                    Some((host, port)) if !host.is_empty() && kind == Moved => {
                        Refusal::Moved(host, port)
                    }
                    Some((host, port)) if !host.is_empty() => Refusal::Ask(host, port),
                    _ => not_now(),
                })
            }
            TryAgain | ClusterDown | MasterDown | BusyLoading | ReadOnly => Some(not_now()),
            _ => None,
        }
    }
}
