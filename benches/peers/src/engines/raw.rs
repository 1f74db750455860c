//! The limit for synced writes: a file that is there in full, appended to and synced for all that
//! wait at once, and nothing else. It cannot even be read.

use super::{ALL, Level, Promise, Store};
use crate::Outcome;
use rustix::fs::FallocateFlags;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

/// The length of the file.
const LEN: u64 = 64 << 20;

pub(super) struct Raw {
    file: File,
    /// Held to join a batch and to change leaders, never while the disk works.
    log: Mutex<Log>,
    /// Where the writers of even and of odd batches wait, so that the end of a batch wakes its own
    /// writers and of the next only the one that leads it.
    turns: [Condvar; 2],
}

struct Log {
    /// The records of the batch that may still be joined.
    records: Vec<u8>,
    /// Its number.
    batch: u64,
    /// How many batches are on the disk.
    synced: u64,
    /// Whether a leader is at work.
    busy: bool,
    /// Where the file goes on.
    end: u64,
    /// The first failure, for all that come after it.
    failed: Option<String>,
}

impl Raw {
    pub(super) fn open(dir: &Path) -> Outcome<Raw> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(dir.join("raw"))?;
        // As our store does it.
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, LEN)?;
        file.sync_all()?;
        let log = Log { records: vec![], batch: 0, synced: 0, busy: false, end: 0, failed: None };
        Ok(Raw { file, log: Mutex::new(log), turns: Default::default() })
    }

    /// One write and one sync for a whole batch.
    fn append(&self, records: &[u8], offset: u64) -> io::Result<()> {
        if offset + records.len() as u64 > LEN {
            return Err(io::Error::other("the raw file is full"));
        }
        self.file.write_all_at(records, offset)?;
        self.file.sync_data()
    }
}

impl Store for Raw {
    fn set(&self, key: &str, value: &str) -> Outcome<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.records.extend_from_slice(&(value.len() as u32).to_le_bytes());
        log.records.extend_from_slice(key.as_bytes());
        log.records.extend_from_slice(value.as_bytes());
        let mine = log.batch;
        while log.busy && log.synced <= mine {
            let turn = &self.turns[mine as usize % 2];
            log = turn.wait(log).unwrap_or_else(PoisonError::into_inner);
        }
        let leads = log.synced <= mine;
        if leads {
            // Nobody is at work, so the batch that may be joined is this one.
            let records = std::mem::take(&mut log.records);
            let offset = log.end;
            log.end += records.len() as u64;
            log.batch += 1;
            log.busy = true;
            drop(log);
            let appended = self.append(&records, offset);
            log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = appended {
                log.failed.get_or_insert(error.to_string());
            }
            log.synced += 1;
            log.busy = false;
        }
        let failed = log.failed.clone();
        // Before the others are woken, who want the lock.
        drop(log);
        if leads {
            self.turns[mine as usize % 2].notify_all();
            self.turns[(mine + 1) as usize % 2].notify_one();
        }
        failed.map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn get(&self, _: &str) -> Outcome<Option<Vec<u8>>> {
        Err("the raw file has no index".into())
    }
}

pub(super) fn promise(level: Level) -> Option<Promise> {
    (level == Level::Synced).then_some(Promise {
        setting: "append and `fdatasync` on a pre-allocated file, once for all that wait",
        after_kill: ALL,
        after_power_cut: ALL,
    })
}
