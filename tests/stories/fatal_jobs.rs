//! What no pool survives, because no thread does: a drop that panics during a panic, a thread-local whose
//! drop panics, a stack that overflows.

use crate::child::{Child, is_told_here};
use kvs::thread_pool::{SharedQueueThreadPool, ThreadPool};
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

fn ends_the_process(story: &str, job: fn()) {
    if is_told_here(story) {
        let pool = SharedQueueThreadPool::new(1).unwrap();
        pool.spawn(job);
        return; // The drop waits for the job and for the thread.
    }
    assert_eq!(Child::start(story).end().signal(), Some(SIGABRT));
}

#[test]
fn a_drop_that_panics_during_a_panic_ends_the_process() {
    ends_the_process("fatal_jobs::a_drop_that_panics_during_a_panic_ends_the_process", || {
        let _bomb = Bomb;
        panic!("the job");
    });
}

#[test]
fn a_thread_local_whose_drop_panics_ends_the_process() {
    ends_the_process("fatal_jobs::a_thread_local_whose_drop_panics_ends_the_process", || {
        AT_THREAD_END.with(|_bomb| ());
    });
}

#[test]
fn a_stack_that_overflows_ends_the_process() {
    fn deep(level: usize) -> usize {
        if level == usize::MAX { 0 } else { black_box(deep(black_box(level + 1))) + 1 }
    }
    ends_the_process("fatal_jobs::a_stack_that_overflows_ends_the_process", || {
        black_box(deep(0));
    });
}
