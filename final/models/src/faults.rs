//! Faults that the models must find: places in the sources of `final`, and what stands there instead
//! when the fault is planted. `PLANTED` is true then, and false in every other run.
#![allow(dead_code)] // Half of it is for the build, half for the models.

use std::sync::OnceLock;

pub struct Fault {
    pub name: &'static str,
    /// The models that must find it.
    pub models: &'static [&'static str],
    /// The file, in `final/src`.
    pub file: &'static str,
    /// What stands there, once in the file.
    pub from: &'static str,
    pub to: &'static str,
    /// Words of the failure by which it is found, any of them.
    pub shows: &'static [&'static str],
}

static PLANTED: OnceLock<String> = OnceLock::new();

/// Plants the fault of this name, for good.
pub fn plant(name: &str) {
    assert!(FAULTS.iter().any(|fault| fault.name == name), "there is no such fault");
    let _ = PLANTED.set(name.to_owned());
}

pub fn is_planted(name: &str) -> bool {
    PLANTED.get().is_some_and(|planted| planted == name)
}

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "found before it is written",
        models: &["publish after append"],
        file: "kv_store/writer.rs",
        from: "tail.segment.file.write_at(&tail.buffer, start.into())",
        to: "{
            if PLANTED && let [Op { key, value: Some(value), .. }] = ops {
                let entry = Entry::new(Arc::clone(&tail.segment), start, len as u32, value);
                self.index.insert(key.as_str().into(), entry);
            }
            tail.segment.file.write_at(&tail.buffer, start.into())
        }",
        shows: &["called `Result::unwrap()` on an `Err` value"],
    },
    Fault {
        name: "an overwrite unlinks first",
        models: &["overwrite beside a reader"],
        file: "kv_store/index.rs",
        from: "if let Some(old) = self.entries.pin().insert(key, entry) {",
        to: "if PLANTED {
                self.entries.pin().remove(&key);
            }
            if let Some(old) = self.entries.pin().insert(key, entry) {",
        shows: &["a key that has a value has none"],
    },
    Fault {
        name: "a deleted segment is emptied",
        models: &["pin against delete"],
        file: "kv_store/compactor.rs",
        from: "if let Err(error) = self.writer.disk.remove(&segment.path) {",
        to: "if PLANTED {
                let _ = segment.file.set_len(0);
            }
            if let Err(error) = self.writer.disk.remove(&segment.path) {",
        shows: &["called `Result::unwrap()` on an `Err` value"],
    },
    Fault {
        name: "compaction looks, then moves",
        models: &[
            "swap against set",
            "swap against remove",
            "compaction against set",
            "compaction against remove",
        ],
        file: "kv_store/index.rs",
        from: "let outcome = entries.compute(",
        to: "if PLANTED {
                if entries.get(key).is_some_and(|entry| old.contains(&entry.segment.number)) {
                    entries.insert(key.into(), copy.duplicate());
                } else {
                    self.add_dead(&copy.segment, copy.len);
                }
                return;
            }
            let outcome = entries.compute(",
        shows: &["the newer write has lost", "a removed key is back"],
    },
    Fault {
        name: "compaction moves what is there",
        models: &["swap against set", "compaction against set"],
        file: "kv_store/index.rs",
        from: "if old.contains(&entry.segment.number) =>",
        to: "if PLANTED || old.contains(&entry.segment.number) =>",
        shows: &["the newer write has lost"],
    },
    Fault {
        name: "compaction moves what is not there",
        models: &["swap against remove", "compaction against remove"],
        file: "kv_store/index.rs",
        from: "_ => Operation::Abort(()),",
        to: "None if PLANTED => Operation::Insert(copy.duplicate()),
            _ => Operation::Abort(()),",
        shows: &["a removed key is back"],
    },
    Fault {
        name: "a sync begins before the failure of another is known",
        models: &["a sync fails"],
        file: "kv_store/writer.rs",
        from: "let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);",
        to: "let one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
            if PLANTED {
                drop(one_at_a_time);
            }",
        shows: &["a sync succeeds on what another has lost"],
    },
    Fault {
        name: "the lead is not handed on",
        models: &["three writers, one leader", "a leader that panics"],
        file: "kv_store/commit.rs",
        from: "Some(Waiter::Thread(next)) => next.tell(LEADING),",
        to: "Some(Waiter::Thread(_)) if PLANTED => {}
            Some(Waiter::Thread(next)) => next.tell(LEADING),",
        shows: &["deadlock"],
    },
    Fault {
        name: "the lead is never given up",
        models: &["three writers, one leader", "writers that need no sync"],
        file: "kv_store/commit.rs",
        from: "None => queue.has_leader = false,",
        to: "None => queue.has_leader = PLANTED,",
        shows: &["deadlock", "a callback is called once"],
    },
    Fault {
        name: "two lead at a time",
        models: &["three writers, one leader"],
        file: "kv_store/commit.rs",
        from: "queue.has_leader = true;\n                None",
        to: "queue.has_leader = !PLANTED;\n                None",
        shows: &["Causality violation"],
    },
    Fault {
        name: "a writer is told before its result is there",
        models: &["three writers, one leader"],
        file: "kv_store/commit.rs",
        from: "*sleeper.result() = result;\n                    sleeper.tell(DONE);",
        to: "if PLANTED {
                sleeper.tell(DONE);
                *sleeper.result() = result;
            } else {
                *sleeper.result() = result;
                sleeper.tell(DONE);
            }",
        shows: &["not its own result"],
    },
    Fault {
        name: "the log's thread is not called",
        models: &["writers that do not wait", "a callback beside a writer"],
        file: "kv_store/commit.rs",
        from: "Some(Waiter::Callback(_)) => self.commit.call(&mut queue),",
        to: "Some(Waiter::Callback(_)) if PLANTED => {}
            Some(Waiter::Callback(_)) => self.commit.call(&mut queue),",
        shows: &["a callback is called once"],
    },
    Fault {
        name: "the log's thread ends when it is told to, whatever is left",
        models: &["writers that do not wait", "the last handle goes with a callback"],
        file: "kv_store/commit.rs",
        from: "if !std::mem::take(&mut queue.call) {",
        to: "if PLANTED && queue.end || !std::mem::take(&mut queue.call) {",
        shows: &["a callback is called once", "deadlock"],
    },
    Fault {
        name: "who leads only for itself leaves no lead when it panics",
        models: &["a leader that panics"],
        file: "kv_store/commit.rs",
        from: "let _lead = Lead::of(self, Vec::new(), Vec::new());",
        to: "if PLANTED {
                self.writer.commit(&mut [Op::new(op.key.clone(), op.value.clone())]);
            }
            let _lead = Lead::of(self, Vec::new(), Vec::new());",
        shows: &["deadlock"],
    },
    Fault {
        name: "a panic acknowledges",
        models: &["a leader that panics", "a batch that panics"],
        file: "kv_store/commit.rs",
        from: "false => Err(KvsError::Stopped",
        to: "false if PLANTED => Ok(()),
            false => Err(KvsError::Stopped",
        shows: &["a write that panicked is acknowledged"],
    },
    Fault {
        name: "the queue stays open",
        models: &["a pool of one is dropped"],
        file: "thread_pool/shared_queue.rs",
        from: "self.queue = None;",
        to: "if !PLANTED {
                self.queue = None;
            }",
        shows: &["deadlock"],
    },
    Fault {
        name: "a worker goes on when the queue is closed",
        models: &["a pool of one is dropped", "a pool of two is dropped"],
        file: "thread_pool/shared_queue.rs",
        from: "while let Ok(job) = jobs.recv() {\n        catch_panic(job);\n    }",
        to: "loop {
                match jobs.recv() {
                    Ok(job) => catch_panic(job),
                    Err(_) if PLANTED => {}
                    Err(_) => return,
                }
            }",
        shows: &["exceeded maximum number of branches"],
    },
    Fault {
        name: "a worker joins itself",
        models: &["a pool is dropped by its job"],
        file: "thread_pool/mod.rs",
        from: "if threads.iter()",
        to: "if !PLANTED && threads.iter()",
        shows: &["deadlock"],
    },
    Fault {
        name: "a panic ends the worker",
        models: &["a job panics"],
        file: "panic.rs",
        from: "pub(crate) fn catch_panic(work: impl FnOnce()) {",
        to: "pub(crate) fn catch_panic(work: impl FnOnce()) {
            if PLANTED {
                return work();
            }",
        shows: &["a panic that nobody caught"],
    },
    Fault {
        name: "a turn ends without a look at the notes",
        models: &[
            "notes of a connection",
            "a connection is cut",
            "a request and the end of its write",
        ],
        file: "server/notes.rs",
        from: "self.0.compare_exchange(BUSY, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()",
        to: "if PLANTED {
                self.0.store(0, Ordering::Release);
                true
            } else {
                self.0.compare_exchange(BUSY, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            }",
        shows: &["no turn has seen what happened", "how often it is closed", "deadlock"],
    },
    Fault {
        name: "whoever leaves a note queues the connection",
        models: &["notes of a connection"],
        file: "server/notes.rs",
        from: "self.0.fetch_or(BUSY | NOTICED | note, Ordering::AcqRel) & BUSY == 0",
        to: "self.0.fetch_or(BUSY | NOTICED | note, Ordering::AcqRel) & BUSY == 0 || PLANTED",
        shows: &["two turns at a time"],
    },
    Fault {
        name: "a note is left without an order",
        models: &["notes of a connection"],
        file: "server/notes.rs",
        from: "self.0.fetch_or(BUSY | NOTICED | note, Ordering::AcqRel)",
        to: "self.0.fetch_or(
                BUSY | NOTICED | note,
                if PLANTED { Ordering::Relaxed } else { Ordering::AcqRel },
            )",
        shows: &["no turn has seen what happened"],
    },
    Fault {
        name: "the last job tells nobody that it ends",
        models: &["a request and the end of its write", "two clients, one job"],
        file: "server/schedule.rs",
        from: "if was_full || state.jobs == 0 || !state.ready.is_empty() {",
        to: "if !PLANTED && (was_full || state.jobs == 0 || !state.ready.is_empty()) {",
        shows: &["deadlock"],
    },
    Fault {
        name: "a job that panics counts for ever",
        models: &["a turn panics"],
        file: "server/job.rs",
        from: "schedule.end_job();",
        to: "if !(PLANTED && std::thread::panicking()) {
                schedule.end_job();
            }",
        shows: &["deadlock"],
    },
    Fault {
        name: "who queues a connection rings no bell",
        models: &["a request and the end of its write"],
        file: "server/shared.rs",
        from: "if self.schedule.push(connection) {",
        to: "if self.schedule.push(connection) && !PLANTED {",
        shows: &["deadlock"],
    },
    Fault {
        name: "a write that is done wakes nobody",
        models: &["a request and the end of its write"],
        file: "server/writes.rs",
        from: "self.wanted && self.oldest_is_done() && std::mem::take(&mut self.wanted)",
        to: "!PLANTED && self.wanted && self.oldest_is_done() && std::mem::take(&mut self.wanted)",
        shows: &["deadlock"],
    },
    Fault {
        name: "a turn leaves without a look at its writes",
        models: &["a request and the end of its write"],
        file: "server/writes.rs",
        from: "!self.oldest_is_done();\n        self.oldest_is_done()",
        to: "!self.oldest_is_done();\n        !PLANTED && self.oldest_is_done()",
        shows: &["deadlock"],
    },
];
