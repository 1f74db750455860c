//! What a caller asks for, and who does it.

use super::commit::Op;
use super::index::keys;
use super::options::Durability;
use super::{KvStore, Shared};
use crate::panic::FirstPanic;
use crate::{KvsEngine, Page, Result, Write};
use std::slice;

/// How many bytes of records of a round are written at a time.
const MAX_ROUND: usize = 1 << 20;

impl KvsEngine for KvStore {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.write(Write::Set { key, value })
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.0.index.get(&key)
    }

    fn remove(&self, key: String) -> Result<()> {
        self.write(Write::Remove { key })
    }

    fn compare_and_set(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        self.write(Write::CompareAndSet { key, expected, new })
    }

    fn write_batch(&self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        self.write(Write::Batch(writes))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.index.entries.len() as u64)
    }

    fn keys(&self, cursor: Option<String>, limit: usize) -> Result<Page> {
        keys::page(&self.0.log, &self.0.index, cursor, limit)
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        let (mut ops, mut told, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut panic = FirstPanic::default();
        // Once: it is a system call.
        let checked = self.0.opener.check();
        for (write, done) in writes {
            match checked.clone().and_then(|()| Op::checked(write)) {
                Ok(op) => {
                    bytes += op.len();
                    ops.push(op);
                    told.push(done);
                }
                Err(error) => panic.hold(|| done(Err(error))),
            }
            if bytes > MAX_ROUND {
                self.0.commit_then(std::mem::take(&mut ops), std::mem::take(&mut told), &mut panic);
                bytes = 0;
            }
        }
        self.0.commit_then(ops, told, &mut panic);
        self.0.compact_if_due();
        panic.go_on();
    }

    fn stats_text(&self) -> String {
        self.stats().to_string()
    }
}

impl Shared {
    pub(super) fn commit(&self, mut op: Op) -> Result<()> {
        // Before any lock: what takes the log lines of a store that stops may write to it.
        self.log.catalog.stopped.check()?;
        if self.is_always() {
            return self.group_commit.commit(op);
        }
        self.committer.commit(slice::from_mut(&mut op));
        op.result
    }

    fn is_always(&self) -> bool {
        self.log.options.durability == Durability::Always
    }

    /// Commits a round, together if that pays. Where it would have to wait, the log's thread does.
    fn commit_then<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        mut ops: Vec<Op>,
        told: Vec<D>,
        panic: &mut FirstPanic,
    ) {
        // Behind those that wait already, because it may depend on them.
        let waits = || self.is_always() || self.compactor.holds_up() || self.group_commit.is_busy();
        if ops.is_empty() {
        } else if self.background.commits() && waits() {
            self.group_commit.commit_then(ops.into_iter().zip(told));
        } else if self.is_always() {
            for (op, done) in ops.into_iter().zip(told) {
                let result = self.commit(op);
                panic.hold(|| done(result));
            }
        } else {
            match self.log.catalog.stopped.check() {
                Ok(()) => self.committer.commit(&mut ops),
                Err(stopped) => ops.iter_mut().for_each(|op| op.result = Err(stopped.clone())),
            }
            ops.into_iter().zip(told).for_each(|(op, done)| panic.hold(|| done(op.result)));
        }
    }

    pub(super) fn compact_if_due(&self) {
        if self.compactor.has_work() {
            self.background.wake_compactor();
        }
    }
}
