use super::error;
use crate::panic::catch_panic;
use crate::{KvsError, Result, Write};
use redis::cluster_routing::Slot;
use redis::{Arg, Cmd, RedisError, ServerError, ServerErrorKind, Value};
use std::time::Instant;

/// What is called with what became of something.
pub(super) type Then<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// The address of a node.
pub(super) type Addr = (String, u16);

/// One command, which a node does as a whole or not at all, and who is told.
pub(super) struct Request {
    pub(super) command: Cmd,
    pub(super) is_write: bool,
    keys: Vec<String>,
    /// The hash slot of its keys; of an empty batch, any.
    pub(super) slot: Slot,
    done: Then<Value>,
    pub(super) begun: Instant,
    /// How often a node has refused it, and why it did the last time.
    pub(super) refused: u32,
    pub(super) why: String,
    /// The node to ask once, in place of the slot's.
    pub(super) ask: Option<Addr>,
}

/// Why a node has not done what it was asked.
pub(super) enum Refusal {
    /// Another node has the slot.
    Moved(Addr),
    /// The slot is on its way to another node, which may have the key already.
    Ask(Addr),
    /// It may later, or another node may.
    NotNow(String),
}

// A node does nothing else while it runs one of these.
const COMPARE_AND_SET: &str = r"if redis.call('GET', KEYS[1]) ~= (ARGV[1] == '=' and ARGV[2]) then return 0 end
if ARGV[3] == '=' then redis.call('SET', KEYS[1], ARGV[4]) else redis.call('DEL', KEYS[1]) end
return 1
";
const BATCH: &str = r"for i, key in ipairs(KEYS) do
  if ARGV[2 * i - 1] == '=' then redis.call('SET', key, ARGV[2 * i]) else redis.call('DEL', key) end
end
return 1
";

impl Request {
    pub(super) fn get(key: String, done: Then<Option<String>>) -> Request {
        let mut command = redis::cmd("GET");
        command.arg(&key);
        Request::new(command, false, vec![key], Box::new(|reply| done(reply.and_then(value))))
    }

    pub(super) fn write(write: Write, done: Then<()>) -> Request {
        let mut command = Cmd::new();
        // With what the reply 0 means.
        let (keys, none) = match write {
            Write::Set { key, value } => {
                command.arg("SET").arg(&key).arg(value);
                (vec![key], None)
            }
            Write::Remove { key } => {
                command.arg("DEL").arg(&key);
                (vec![key], Some(KvsError::KeyNotFound))
            }
            Write::CompareAndSet { key, expected, new } => {
                command.arg("EVAL").arg(COMPARE_AND_SET).arg(1).arg(&key);
                command.arg(change(&expected)).arg(change(&new));
                (vec![key], Some(KvsError::Mismatch))
            }
            Write::Batch(writes) => {
                let (keys, values): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
                let changes: Vec<_> = values.iter().map(change).collect();
                command.arg("EVAL").arg(BATCH).arg(keys.len()).arg(&keys).arg(changes);
                (keys, None)
            }
        };
        let take = |reply| match (reply, none) {
            (Value::Okay | Value::Int(1), _) => Ok(()),
            (Value::Int(0), Some(none)) => Err(none),
            (other, _) => Err(unexpected(&other)),
        };
        Request::new(command, true, keys, Box::new(|reply| done(reply.and_then(take))))
    }

    fn new(command: Cmd, is_write: bool, keys: Vec<String>, done: Then<Value>) -> Request {
        let slot = Slot::for_key(keys.first().map_or("", |key| key));
        let (begun, refused, why, ask) = (Instant::now(), 0, String::new(), None);
        Request { command, is_write, keys, slot, done, begun, refused, why, ask }
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> usize {
        let args = self.command.args_iter();
        args.map(|arg| if let Arg::Simple(bytes) = arg { bytes.len() } else { 0 }).sum()
    }

    pub(super) fn is_in_one_slot(&self) -> bool {
        self.keys.iter().skip(1).all(|key| Slot::for_key(key) == self.slot)
    }

    /// Whether one of them has to be done before the other is begun. A batch always: to compare its keys, of which
    /// there may be many, would keep the thread from all other requests.
    pub(super) fn conflicts_with(&self, other: &Request) -> bool {
        let has_batch = self.keys.len().max(other.keys.len()) > 1;
        (self.is_write || other.is_write) && (has_batch || self.keys == other.keys)
    }

    /// Tells the client.
    pub(super) fn answer(self, reply: Result<Value>) {
        catch_panic(|| (self.done)(reply));
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
    /// None if the reply is an answer, if only that something is wrong.
    pub(super) fn of(reply: &Value) -> Option<Refusal> {
        use ServerErrorKind::{
            Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain,
        };
        let Value::ServerError(refused) = reply else { return None };
        let addr = || {
            let error = RedisError::from(refused.clone());
            let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
            // Without a host it is the one that answers: rare, and the slots tell it too.
            Some((host.to_owned(), port.parse().ok()?)).filter(|_| !host.is_empty())
        };
        let found = match refused.kind()? {
            Moved => addr().map(Refusal::Moved),
            Ask => addr().map(Refusal::Ask),
            TryAgain | ClusterDown | MasterDown | BusyLoading | ReadOnly => None,
            _ => return None,
        };
        Some(found.unwrap_or_else(|| Refusal::NotNow(told(refused))))
    }
}
