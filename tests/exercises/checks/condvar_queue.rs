//! What `condvar_queue` must do: all that the pool with the channel does.

use crate::condvar_queue::CondvarQueuePool;
use crate::stage_4::thread_pool::ThreadPool;
use kvs_test_kit::pools::{self, Pool, THREADS};

fn pool() -> Pool {
    let pool = CondvarQueuePool::new(THREADS).unwrap();
    Pool::new(move |job| pool.spawn(job))
}

#[test]
fn every_job_runs_once() {
    pools::every_job_runs_once(pool());
}

#[test]
fn a_panic_costs_no_thread_and_keeps_nothing() {
    pools::panicking_jobs_cost_no_thread(pool(), 50, true);
}

#[test]
fn the_drop_runs_what_is_queued_and_ends_the_threads() {
    pools::jobs_that_wait_are_run_before_drop_returns(pool());
    pools::threads_are_gone_after_drop(pool());
}

#[test]
fn a_job_may_drop_the_pool() {
    pools::dropping_the_pool_inside_its_own_job_ends_its_threads(pool());
}

#[test]
fn zero_threads_are_refused() {
    let Err(error) = CondvarQueuePool::new(0) else { panic!("a pool without threads") };
    assert!(error.to_string().contains("at least one thread"), "{error}");
}
