//! What becomes of writes: whether they are done at all, their records in the log, their keys in the index.

use super::index::{Entry, Index};
use super::log::Log;
use super::record;
use super::stripes::Stripes;
use crate::{KvsError, Result};
use std::collections::HashMap;
use std::slice;
use std::sync::Arc;

/// A write on its way.
pub(super) struct Op {
    pub(super) key: String,
    /// None for a removal.
    pub(super) value: Option<String>,
    /// What came of it, once it was committed.
    pub(super) result: Result<()>,
    /// Where its record is in the segment, once it was appended.
    pub(super) offset: u32,
}

impl Op {
    pub(super) fn new(key: String, value: Option<String>) -> Op {
        Op { key, value, result: Ok(()), offset: 0 }
    }

    /// How long its record is, in bytes.
    pub(super) fn len(&self) -> usize {
        record::len(&self.key, self.value.as_deref())
    }
}

/// Any number of threads commit at a time, at level `always` one ([`GroupCommit`](super::group_commit)).
pub(super) struct Committer {
    pub(super) log: Arc<Log>,
    index: Arc<Index>,
    pub(super) stripes: Stripes,
}

impl Committer {
    pub(super) fn new(log: Arc<Log>, index: Arc<Index>) -> Committer {
        Committer { log, index, stripes: Stripes::new() }
    }

    /// Does some writes: those that can be done have their records in the log, then readers find them, and
    /// the results are in the ops. They count in their order, and each may fail by itself.
    pub(super) fn commit(&self, ops: &mut [Op]) {
        // Until the end: see there.
        let _stripes = self.stripes.lock(ops.iter().map(|op| &*op.key));
        // First of all: a write that failed and could not be undone is perhaps in the log all the same.
        if let Err(stopped) = self.log.catalog.stopped.check() {
            ops.iter_mut().for_each(|op| op.result = Err(stopped.clone()));
        } else if !self.commit_at_once(ops) && ops.len() > 1 {
            for op in ops {
                op.result = Ok(());
                self.commit_at_once(slice::from_mut(op));
            }
        }
    }

    /// Returns whether each op has its own result. If not, none was done: they found no room together, or
    /// what was concluded for one of them from another isn't true because that one failed.
    fn commit_at_once(&self, ops: &mut [Op]) -> bool {
        let together = self.refuse_missing(ops);
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
        let is_written = |op: &Op| !matches!(&op.result, Err(error) if !is_missing(error));
        if together && !ops.iter().all(is_written) {
            return false;
        }
        self.publish(segment, ops);
        true
    }

    /// A removal of a key that is not there is an error and not a record. Ops before it count, though no
    /// reader can see them yet. Returns whether an op may depend on one before it.
    fn refuse_missing(&self, ops: &mut [Op]) -> bool {
        let mut before: HashMap<&str, bool> = HashMap::new();
        let (alone, mut together) = (ops.len() == 1, false);
        for Op { key, value, result, .. } in ops {
            let earlier = before.get(&**key).copied();
            together |= earlier.is_some();
            if value.is_none() && !earlier.unwrap_or_else(|| self.index.contains(key)) {
                *result = Err(KvsError::KeyNotFound);
            } else if !alone {
                before.insert(key, value.is_some());
            }
        }
        together
    }

    fn publish(&self, segment: u64, ops: &mut [Op]) {
        for op in ops.iter_mut().filter(|op| op.result.is_ok()) {
            let len = op.len() as u32;
            match &op.value {
                Some(value) => {
                    let entry = Entry::new(segment, op.offset, len, value);
                    self.index.insert(std::mem::take(&mut op.key).into_boxed_str(), entry);
                }
                None => self.index.remove(&op.key, segment, len),
            }
        }
    }
}

fn is_missing(error: &KvsError) -> bool {
    matches!(error, KvsError::KeyNotFound)
}
