//! What becomes of writes: whether they are done at all, their records in the log, their keys in the index.

pub(crate) mod group_commit;
mod stripes;

use crate::kv_store::format::record;
use crate::kv_store::index::{Entry, Index};
use crate::kv_store::log::Log;
use crate::sync::fault;
use crate::{KvsError, Result, Write};
use std::collections::HashMap;
use std::slice;
use std::sync::Arc;
use stripes::Stripes;

/// A write on its way.
#[derive(Clone)]
pub(crate) struct Op {
    pub(crate) write: Write,
    /// What came of it, once it was committed.
    pub(crate) result: Result<()>,
    /// Whether it failed by what it found out about its key, and not because it could not be written.
    is_refused: bool,
    /// Where its record is in the segment, once it was appended.
    pub(crate) offset: u32,
}

impl Op {
    pub(crate) fn new(write: Write) -> Op {
        Op { write, result: Ok(()), is_refused: false, offset: 0 }
    }

    /// A write that was checked.
    ///
    /// # Errors
    /// If a key, a value or the batch is too long.
    pub(crate) fn checked(write: Write) -> Result<Op> {
        check_limits(&write)?;
        Ok(Op::new(write))
    }

    /// How long its record is, in bytes.
    pub(crate) fn len(&self) -> usize {
        record::write_len(&self.write)
    }
}

/// Any number of threads commit at a time, at level `always` one ([`GroupCommit`](group_commit)).
pub(crate) struct Committer {
    pub(crate) log: Arc<Log>,
    index: Arc<Index>,
    pub(crate) stripes: Stripes,
}

impl Committer {
    pub(crate) fn new(log: Arc<Log>, index: Arc<Index>) -> Committer {
        Committer { log, index, stripes: Stripes::new() }
    }

    /// Does some writes: those that can be done have their records in the log, then readers find them, and
    /// the results are in the ops. They count in their order, and each may fail by itself.
    pub(crate) fn commit(&self, ops: &mut [Op]) {
        // Until the end: see there.
        let keys = ops.iter().flat_map(|op| op.write.changes()).map(|(key, _)| key);
        let _stripes = self.stripes.lock(keys);
        if !self.commit_at_once(ops) && ops.len() > 1 {
            for op in ops {
                (op.result, op.is_refused) = (Ok(()), false);
                self.commit_at_once(slice::from_mut(op));
            }
        }
    }

    /// Returns whether each op has its own result. If not, none was done: they found no room together, or
    /// what was concluded for one of them from another isn't true because that one failed.
    fn commit_at_once(&self, ops: &mut [Op]) -> bool {
        // First of all: what failed and could not be undone is perhaps in the log all the same, an earlier attempt
        // at these ops, too. To refuse one of them by what is in the index would say that it isn't.
        if let Err(stopped) = self.log.catalog.stopped.check() {
            ops.iter_mut().for_each(|op| op.result = Err(stopped.clone()));
            return true;
        }
        let together = self.refuse(ops);
        if ops.iter().all(|op| op.result.is_err()) {
            return true;
        }
        let segment = match self.log.append(ops, together) {
            Ok(segment) => segment,
            Err(error) => {
                ops.iter_mut().for_each(|op| op.result = Err(error.clone()));
                return false;
            }
        };
        let is_written = |op: &Op| op.result.is_ok() || op.is_refused;
        if together && !ops.iter().all(is_written) {
            return false;
        }
        self.publish(segment, ops);
        true
    }

    /// A removal of a key that is not there is an error and not a record, and so is a compare-and-set that finds
    /// another value. Ops before it count, though no reader can see them yet. Returns whether an op may depend on
    /// one before it.
    fn refuse(&self, ops: &mut [Op]) -> bool {
        if ops.iter().all(|op| matches!(op.write, Write::Set { .. } | Write::Batch(_))) {
            // They are done whatever was there.
            return false;
        }
        let mut before: HashMap<&str, Option<&str>> = HashMap::new();
        let (alone, mut together) = (ops.len() == 1, false);
        for Op { write, result, is_refused, .. } in ops {
            let write: &Write = write;
            let earlier = |key: &str| before.get(key).copied();
            together |= !alone && write.changes().any(|(key, _)| earlier(key).is_some());
            *result = match write {
                Write::Set { .. } | Write::Batch(_) => Ok(()),
                Write::Remove { key } => {
                    let is_there = earlier(key).map(|value| value.is_some());
                    let is_there = is_there.unwrap_or_else(|| self.index.contains(key));
                    if is_there { Ok(()) } else { Err(KvsError::KeyNotFound) }
                }
                Write::CompareAndSet { key, expected, .. } => {
                    self.compare(key, earlier(key), expected.as_deref())
                }
            };
            *is_refused = result.is_err();
            if !alone && result.is_ok() {
                before.extend(write.changes());
            }
        }
        together
    }

    /// Sees whether a key has this value; `earlier` is what it has after a write that no reader can see yet.
    fn compare(
        &self,
        key: &str,
        earlier: Option<Option<&str>>,
        expected: Option<&str>,
    ) -> Result<()> {
        let earlier = if fault!("it compares with the index alone") { None } else { earlier };
        let is_expected = match earlier {
            Some(value) => value == expected,
            None => self.index.get(key)?.as_deref() == expected,
        };
        if is_expected { Ok(()) } else { Err(KvsError::Mismatch) }
    }

    fn publish(&self, segment: u64, ops: &mut [Op]) {
        for op in ops.iter_mut().filter(|op| op.result.is_ok()) {
            let mut offset = op.offset;
            if let Write::Batch(_) = op.write {
                // Its own header is garbage from the start.
                self.index.add_garbage(segment, record::HEADER as u32);
                offset += record::HEADER as u32;
            }
            let write = std::mem::replace(&mut op.write, Write::Batch(Vec::new()));
            for (key, value) in write.into_changes() {
                let len = record::len(&key, value.as_deref()) as u32;
                if value.is_some() {
                    let entry = Entry::new(segment, offset, len, value.as_deref());
                    self.index.insert(&key, entry);
                } else {
                    self.index.remove(&key, segment, len);
                }
                offset += len;
            }
        }
    }
}

/// Refuses keys, values and batches that are too long, before anything is done with them.
fn check_limits(write: &Write) -> Result<()> {
    let too_large = |what, len, limit| {
        if len > limit { Err(KvsError::TooLarge { what, len, limit }) } else { Ok(()) }
    };
    for (key, value) in write.changes() {
        too_large("key", key.len(), record::MAX_KEY)?;
        too_large("value", value.map_or(0, str::len), record::MAX_VALUE)?;
    }
    match write {
        Write::Batch(_) => {
            too_large("batch", record::write_len(write) - record::HEADER, record::MAX_VALUE)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv_store::format::record::{MAX_KEY, MAX_VALUE};

    #[test]
    fn limits_hold_on_both_sides() {
        let key = "k".repeat(MAX_KEY + 1);
        let value = "v".repeat(MAX_VALUE + 1);
        let limits = |key: &str, value: &str| {
            let write = Write::Set { key: key.to_owned(), value: value.to_owned() };
            check_limits(&write).map_err(|error| error.to_string())
        };
        limits(&key[1..], &value[1..]).unwrap();
        assert!(limits(&key, "").unwrap_err().contains("key"));
        assert!(limits("k", &value).unwrap_err().contains("value"));
        let half = ("k".to_owned(), Some("v".repeat(MAX_VALUE / 2)));
        let refused = check_limits(&Write::Batch(vec![half; 2])).unwrap_err();
        assert!(matches!(refused, KvsError::TooLarge { what: "batch", .. }), "{refused}");
    }
}
