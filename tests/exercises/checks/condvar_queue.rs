//! What `condvar_queue` must do.

use crate::condvar_queue::CondvarQueuePool;
use crate::stage_4::thread_pool::ThreadPool;
use kvs_test_kit::WATCHDOG;
use kvs_test_kit::comes_to_an_end;
use std::cell::OnceCell;
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

const THREADS: u32 = 4;

fn pool() -> CondvarQueuePool {
    CondvarQueuePool::new(THREADS).unwrap()
}

/// As many jobs as there are threads meet. Returns a receiver that is disconnected when those
/// threads have ended.
fn assert_has_all_threads(pool: &CondvarQueuePool) -> Receiver<()> {
    thread_local!(static ALIVE: OnceCell<Sender<()>> = const { OnceCell::new() });
    let (alive, ends) = channel();
    let (done, jobs) = channel();
    let all = Arc::new(Barrier::new(THREADS as usize));
    for _ in 0..THREADS {
        let (all, alive, done) = (Arc::clone(&all), alive.clone(), done.clone());
        pool.spawn(move || {
            ALIVE.with(|cell| assert!(cell.set(alive).is_ok()));
            all.wait();
            done.send(()).unwrap();
        });
    }
    for _ in 0..THREADS {
        jobs.recv_timeout(WATCHDOG).expect("too few threads for the jobs to meet");
    }
    ends
}

#[test]
fn every_job_runs_once() {
    comes_to_an_end(|| {
        let pool = pool();
        let (done, jobs) = channel();
        for number in 0..1000 {
            let done = done.clone();
            pool.spawn(move || done.send(number).unwrap());
        }
        drop(done);
        let mut seen: Vec<u32> = jobs.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    });
}

/// A payload that panics again when it is dropped, and owns something as well.
struct Bomb {
    _owned: Sender<()>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's own drop");
    }
}

#[test]
fn a_panic_costs_no_thread_and_keeps_nothing() {
    let pool = pool();
    let (done, jobs) = channel();
    for number in 0..50 {
        let done = done.clone();
        pool.spawn(move || match number % 3 {
            0 => panic!("text with {number} and {done:?}"),
            1 => panic_any(done),
            _ => panic_any(Bomb { _owned: done }),
        });
    }
    drop(done);
    assert_eq!(jobs.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
    assert_has_all_threads(&pool);
}

#[test]
fn the_drop_runs_what_is_queued_and_ends_the_threads() {
    let pool = pool();
    let ends = assert_has_all_threads(&pool);
    let (done, jobs) = channel();
    for _ in 0..1000 {
        let done = done.clone();
        pool.spawn(move || done.send(()).unwrap());
    }
    comes_to_an_end(|| drop(pool));
    assert_eq!(jobs.try_iter().count(), 1000);
    assert_eq!(ends.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_job_may_drop_the_pool() {
    let pool = pool();
    let ends = assert_has_all_threads(&pool);
    let (pass, passed) = channel::<CondvarQueuePool>();
    pool.spawn(move || drop(passed.recv().unwrap()));
    pass.send(pool).unwrap();
    assert_eq!(ends.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn zero_threads_are_refused() {
    let Err(error) = CondvarQueuePool::new(0) else { panic!("a pool without threads") };
    assert!(error.to_string().contains("at least one thread"), "{error}");
}
