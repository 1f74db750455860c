//! What no pool survives, because no thread does: a drop that panics during a panic, a thread-local whose
//! drop panics, a stack that overflows.

use kvs::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_test_kit::child::Child;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

/// The signal of `abort`, on Linux.
const SIGABRT: i32 = 6;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a drop that panics");
    }
}

thread_local!(static AT_THREAD_END: Bomb = const { Bomb });

/// The pool's drop waits for the job and for the thread.
fn spawn(job: fn()) {
    SharedQueueThreadPool::new(1).unwrap().spawn(job);
}

fn is_aborted(mut child: Child) {
    assert_eq!(child.end().signal(), Some(SIGABRT));
}

#[test]
fn a_drop_that_panics_during_a_panic_ends_the_process() {
    is_aborted(Child::runs(|| {
        spawn(|| {
            let _bomb = Bomb;
            panic!("the job");
        });
    }));
}

#[test]
fn a_thread_local_whose_drop_panics_ends_the_process() {
    is_aborted(Child::runs(|| spawn(|| AT_THREAD_END.with(|_bomb| ()))));
}

#[test]
fn a_stack_that_overflows_ends_the_process() {
    fn deep(level: usize) -> usize {
        if level == usize::MAX { 0 } else { black_box(deep(black_box(level + 1))) + 1 }
    }
    is_aborted(Child::runs(|| spawn(|| assert_eq!(black_box(deep(0)), 0))));
}
