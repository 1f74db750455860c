//! What every thread pool must do, run against each pool that the stage has.
#![cfg(from_stage = "1")]

#[cfg(from_stage = "5")]
use kvs::thread_pool::RayonThreadPool;
#[cfg(from_stage = "4")]
use kvs::thread_pool::SharedQueueThreadPool;
use kvs::thread_pool::{NaiveThreadPool, ThreadPool};
use kvs_test_kit::pools::{self, Pool, THREADS};
#[cfg(target_os = "linux")]
use kvs_test_kit::{
    child::{Child, FEW_THREADS},
    process::threads,
    until,
};
use std::sync::RwLock;
use std::sync::mpsc::channel;

/// A pool for a check that only gives it jobs.
fn pool<P: ThreadPool + Send + Sync + 'static>() -> Pool {
    let pool = P::new(THREADS).unwrap();
    Pool::new(move |job| pool.spawn(job))
}

/// A thread that catches nothing, as in the first stages, ends the process by some payloads.
const CATCHES: bool = cfg!(from_stage = "4");

/// Does what a closure of the test says in a process whose address space has room for a handful of threads.
#[cfg(target_os = "linux")]
fn with_few_threads<F: FnOnce()>(work: F) {
    assert!(Child::runs_after(FEW_THREADS, work).end().success());
}

#[cfg(target_os = "linux")]
fn own_threads() -> usize {
    threads(std::process::id())
}

/// A thread that has ended may stand in /proc for a moment longer.
#[cfg(target_os = "linux")]
fn wait_for_threads(number: usize) {
    until("the threads are gone", || own_threads() <= number);
}

/// For the pools with a fixed number of threads.
#[cfg(from_stage = "4")]
mod bounded {
    use super::*;
    use std::sync::Arc;

    /// The order in which one thread runs jobs from outside (o), and what a job spawns after those
    /// are there: a, b and c.
    pub fn order<P: ThreadPool + Send + Sync + 'static>() -> String {
        let pool = Arc::new(P::new(1).unwrap());
        let (open, gate) = channel();
        let (done, order) = channel();
        let (inner, inner_done) = (Arc::clone(&pool), done.clone());
        pool.spawn(move || {
            gate.recv().unwrap();
            for job in ['a', 'b', 'c'] {
                let done = inner_done.clone();
                inner.spawn(move || done.send(job).unwrap());
            }
        });
        // The thread is held, and no `spawn` waits for it.
        for _ in 0..10_000 {
            let done = done.clone();
            pool.spawn(move || done.send('o').unwrap());
        }
        drop(done);
        open.send(()).unwrap();
        order.iter().collect()
    }

    pub fn zero_threads_are_refused<P: ThreadPool>() {
        let Err(error) = P::new(0) else { panic!("a pool without threads") };
        assert!(error.to_string().contains("at least one thread"), "{error}");
    }

    #[cfg(target_os = "linux")]
    pub fn new_that_fails_half_way_ends_what_it_had_started<
        P: ThreadPool + Send + Sync + 'static,
    >() {
        let before = own_threads();
        let Err(error) = P::new(60_000) else { panic!("60,000 threads in a gigabyte") };
        let words = error.to_string();
        assert!(words.contains("cannot start thread") && words.contains("of 60000"), "{words}");
        wait_for_threads(before);
        pool::<P>().has_all_threads();
    }
}

/// Declares for a pool those of the tests of all pools that are for it.
macro_rules! tests {
    ($module:ident: $pool:ty, $($check:ident($($more:expr),*),)*) => {
        mod $module {
            use super::*;
            $(#[test]
            fn $check() {
                pools::$check(pool::<$pool>() $(, $more)*);
            })*
        }
    };
}

tests! {
    naive_thread_pool: NaiveThreadPool,
    every_job_runs_once(),
    panicking_jobs_cost_no_thread(50, CATCHES),
    threads_are_gone_after_drop(),
}

#[cfg(target_os = "linux")]
#[test]
fn naive_thread_pool_a_refused_thread_costs_only_its_job() {
    /// Jobs wait here until all were spawned.
    static GATE: RwLock<()> = RwLock::new(());
    with_few_threads(|| {
        let before = own_threads();
        let pool = NaiveThreadPool::new(THREADS).unwrap();
        let (started, jobs) = channel();
        let closed = GATE.write().unwrap();
        for _ in 0..5000 {
            let started = started.clone();
            pool.spawn(move || {
                started.send(()).unwrap();
                drop(GATE.read());
            });
        }
        drop(started);
        drop(closed);
        let ran = jobs.iter().count();
        assert!(0 < ran && ran < 5000, "{ran} of 5000 jobs ran: the process had no limit");
        wait_for_threads(before);
        Pool::new(move |job| pool.spawn(job)).has_all_threads();
    });
}

#[cfg(from_stage = "4")]
tests! {
    shared_queue_thread_pool: SharedQueueThreadPool,
    every_job_runs_once(),
    panicking_jobs_cost_no_thread(50, CATCHES),
    threads_are_gone_after_drop(),
    jobs_that_wait_are_run_before_drop_returns(),
    dropping_the_pool_inside_its_own_job_ends_its_threads(),
}

#[cfg(from_stage = "5")]
tests! {
    rayon_thread_pool: RayonThreadPool,
    every_job_runs_once(),
    panicking_jobs_cost_no_thread(50, CATCHES),
    threads_are_gone_after_drop(),
    jobs_that_wait_are_run_before_drop_returns(),
    dropping_the_pool_inside_its_own_job_ends_its_threads(),
}

#[cfg(from_stage = "4")]
#[test]
fn the_shared_queue_runs_jobs_in_the_order_in_which_they_were_spawned() {
    assert_eq!(bounded::order::<SharedQueueThreadPool>(), "o".repeat(10_000) + "abc");
}

#[cfg(from_stage = "5")]
#[test]
fn rayon_runs_first_what_a_job_spawned_last() {
    assert_eq!(bounded::order::<RayonThreadPool>(), "cba".to_owned() + &"o".repeat(10_000));
}

#[cfg(from_stage = "4")]
#[test]
fn zero_threads_are_refused() {
    bounded::zero_threads_are_refused::<SharedQueueThreadPool>();
    #[cfg(from_stage = "5")]
    bounded::zero_threads_are_refused::<RayonThreadPool>();
}

#[cfg(all(from_stage = "4", target_os = "linux"))]
#[test]
fn a_new_pool_that_fails_half_way_ends_what_it_had_started() {
    with_few_threads(|| {
        bounded::new_that_fails_half_way_ends_what_it_had_started::<SharedQueueThreadPool>();
        #[cfg(from_stage = "5")]
        bounded::new_that_fails_half_way_ends_what_it_had_started::<RayonThreadPool>();
    });
}

#[cfg(all(from_stage = "5", target_os = "linux"))]
#[test]
fn rayon_thread_pool_more_threads_than_rayon_can_have_are_refused() {
    with_few_threads(|| {
        let Err(error) = RayonThreadPool::new(65_536) else { panic!("65,536 threads") };
        assert!(error.to_string().contains("at most 65535 threads"), "{error}");
    });
}
