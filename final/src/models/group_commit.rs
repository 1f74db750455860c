//! Group commit alone: `group_commit.rs` is the store's, compiled once more around a stand-in for the committer.
#![allow(clippy::duplicate_mod)]

#[path = "../kv_store/commit/group_commit.rs"]
mod commit;

/// Stands for `final/src/kv_store/commit/mod.rs`: a log in memory. A removal answers that there is no such
/// key, and a write of the key `panic` panics.
mod committer {
    use crate::models::model::WANTED;
    use crate::{KvsError, Result, Write};
    use loom::cell::Cell;
    use std::sync::{Mutex, MutexGuard};

    #[derive(Clone)]
    pub(super) struct Op {
        write: Write,
        pub(super) result: Result<()>,
    }

    impl Op {
        pub(super) fn new(write: Write) -> Op {
            Op { write, result: Ok(()) }
        }

        pub(super) fn len(&self) -> usize {
            0
        }
    }

    #[derive(Default)]
    pub(super) struct Committer {
        /// How many writes it has. Nothing protects it but that one thread at a time leads: loom ends
        /// the model when two accesses are not in an order. The lock is for the compiler; loom does
        /// not see it, and it is never waited for.
        written: Mutex<Cell<usize>>,
    }

    impl Committer {
        pub(super) fn commit(&self, ops: &mut [Op]) {
            for op in ops {
                match &op.write {
                    Write::Set { key, .. } if key == "panic" => std::panic::panic_any(WANTED),
                    Write::Set { .. } => {
                        let written = self.written();
                        written.set(written.get() + 1);
                    }
                    _ => op.result = Err(KvsError::KeyNotFound),
                }
            }
        }

        pub(super) fn written(&self) -> MutexGuard<'_, Cell<usize>> {
            // Nothing that has it switches threads.
            self.written.try_lock().unwrap()
        }
    }
}

use super::model::Model;
use super::with;
use crate::sync::{Condvar, Mutex};
use crate::{KvsError, Result, Write};
use commit::GroupCommit;
use committer::{Committer, Op};
use loom::thread::{self, JoinHandle};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(crate) fn models() -> Vec<Model> {
    vec![
        Model::new("three writers, one leader", three_writers),
        Model::new("writers that do not wait", callbacks),
        Model::new("a callback beside a writer", callback_and_writer),
        Model::new("the last handle goes with a callback", last_handle),
        Model::new("a leader that panics", leader_panics),
        Model::new("a batch that panics", batch_panics),
    ]
}

#[derive(Clone)]
struct Log {
    committer: Arc<Committer>,
    commit: Arc<GroupCommit>,
}

impl Log {
    fn new() -> Log {
        let committer = Arc::<Committer>::default();
        Log { commit: Arc::new(GroupCommit::new(Arc::clone(&committer))), committer }
    }

    /// Starts the log's own thread.
    fn serve(&self) -> JoinHandle<()> {
        with(self, |log| log.commit.serve(|| usize::MAX, || ()))
    }

    fn set(&self, key: &str) -> Result<()> {
        self.commit.commit(Op::new(write(key, true)))
    }

    fn remove(&self, key: &str) -> Result<()> {
        self.commit.commit(Op::new(write(key, false)))
    }

    /// Begins a write, whose result will be in what is returned.
    fn begin(&self, key: &str, is_set: bool) -> Arc<Ending> {
        self.begin_with((), key, is_set)
    }

    /// As [`Log::begin`], with something that goes when the write is done.
    fn begin_with(&self, goes: impl Send + 'static, key: &str, is_set: bool) -> Arc<Ending> {
        let ending = Arc::<Ending>::default();
        let ended = Arc::clone(&ending);
        let done = move |result| {
            ended.results.lock().unwrap().push(result);
            ended.called.notify_all();
            drop(goes);
        };
        self.commit.commit_then([(Op::new(write(key, is_set)), done)]);
        ending
    }

    fn written(&self) -> usize {
        self.committer.written().get()
    }

    /// Whether nobody is left behind: a lead that nobody has, or a write that nobody commits, would
    /// hold up the next one for ever.
    fn is_idle(&self) -> bool {
        let written = self.written();
        self.set("last").unwrap();
        self.written() == written + 1
    }
}

/// A set, or a removal.
fn write(key: &str, is_set: bool) -> Write {
    let key = key.to_owned();
    if is_set { Write::Set { key, value: String::new() } } else { Write::Remove { key } }
}

#[derive(Default)]
struct Ending {
    results: Mutex<Vec<Result<()>>>,
    called: Condvar,
}

impl Ending {
    fn wait(&self) {
        let none = |results: &mut Vec<_>| results.is_empty();
        drop(self.called.wait_while(self.results.lock().unwrap(), none));
    }

    fn result(&self) -> Result<()> {
        let mut results = self.results.lock().unwrap();
        assert_eq!(results.len(), 1, "a callback is called once");
        results.remove(0)
    }
}

fn is_missing(result: Result<()>) -> bool {
    matches!(result, Err(KvsError::KeyNotFound))
}

/// Each writer gets its own result, and one at a time leads.
fn three_writers() {
    let log = Log::new();
    let writer = with(&log, |log| log.set("one").unwrap());
    let remover = with(&log, |log| assert!(is_missing(log.remove("none")), "not its own result"));
    log.set("two").unwrap();
    writer.join().unwrap();
    remover.join().unwrap();
    assert_eq!(log.written(), 2);
    assert!(log.is_idle());
}

/// The log's own thread commits what nobody waits for, and ends when it is told to, not before.
fn callbacks() {
    let log = Log::new();
    let leader = log.serve();
    let remover = with(&log, |log| log.begin("none", false));
    let set = log.begin("one", true);
    if !log.commit.is_busy() {
        assert_eq!(log.written(), 1, "what was begun before is passed by");
    }
    let removed = remover.join().unwrap();
    log.commit.end();
    leader.join().unwrap();
    set.result().unwrap();
    assert!(is_missing(removed.result()), "not its own result");
    assert_eq!(log.written(), 1);
    assert!(log.is_idle());
}

/// The lead goes to and fro between a thread that waits and the log's own.
fn callback_and_writer() {
    let log = Log::new();
    let leader = log.serve();
    let remover = with(&log, |log| assert!(is_missing(log.remove("none")), "not its own result"));
    let set = log.begin("one", true);
    remover.join().unwrap();
    log.commit.end();
    leader.join().unwrap();
    set.result().unwrap();
    assert!(log.is_idle());
}

/// The last handle of a store: ends the log's own thread as `final/src/kv_store/background.rs` does.
struct Handle {
    commit: Arc<GroupCommit>,
    leader: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let leader = self.leader.lock().unwrap().take().unwrap();
        self.commit.end();
        if leader.thread().id() == thread::current().id() {
            self.commit.serve(|| usize::MAX, || ());
        } else {
            leader.join().unwrap();
        }
    }
}

/// Who lets the last handle go, perhaps the log's own thread in a callback, sees to it that what was
/// begun before is done.
fn last_handle() {
    let log = Log::new();
    let leader = Mutex::new(Some(log.serve()));
    let handle = Arc::new(Handle { commit: Arc::clone(&log.commit), leader });
    let first = log.begin_with(Arc::clone(&handle), "one", true);
    let second = log.begin("two", true);
    drop(handle);
    first.wait();
    second.wait();
    first.result().unwrap();
    second.result().unwrap();
}

/// A leader that panics takes nobody with it but those whose writes it had, and they are told.
fn leader_panics() {
    let log = Log::new();
    let set = |key: &'static str| move |log: Log| catch_unwind(AssertUnwindSafe(|| log.set(key)));
    let first = with(&log, set("one"));
    let second = with(&log, set("panic"));
    let third = set("two")(log.clone());
    let mut done = 0;
    for result in [first.join().unwrap(), third] {
        match result {
            Ok(Ok(())) => done += 1,
            // In one batch with the write that panicked: it led, or another one did.
            Err(_) | Ok(Err(KvsError::Stopped { .. })) => {}
            Ok(Err(error)) => panic!("{error}"),
        }
    }
    let panicked = second.join().unwrap();
    assert!(!matches!(panicked, Ok(Ok(()))), "a write that panicked is acknowledged");
    assert!(log.written() >= done);
    assert!(log.is_idle());
}

/// A batch that panics costs its writers their writes, and the log its own thread not.
fn batch_panics() {
    let log = Log::new();
    let leader = log.serve();
    let panics = with(&log, |log| log.begin("panic", true));
    let set = log.begin("one", true);
    let panicked = panics.join().unwrap();
    log.commit.end();
    leader.join().unwrap();
    assert!(panicked.result().is_err(), "a write that panicked is acknowledged");
    match set.result() {
        Ok(()) => assert_eq!(log.written(), 1),
        Err(error) => assert!(matches!(error, KvsError::Stopped { .. })),
    }
    assert!(log.is_idle());
}
