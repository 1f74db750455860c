//! What `bounded_pool` must do.

use crate::bounded_pool::BoundedPool;
use crate::stage_1::thread_pool::ThreadPool;
use kvs_test_kit::comes_to_an_end;
use kvs_test_kit::pools::{Pool, THREADS};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;

#[test]
fn never_more_jobs_are_under_way_than_there_are_places() {
    let pool = BoundedPool::new(THREADS).unwrap();
    let (under_way, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (done, jobs) = channel();
    for _ in 0..300 {
        let (under_way, most) = (Arc::clone(&under_way), Arc::clone(&most));
        let done = done.clone();
        pool.spawn(move || {
            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            thread::yield_now();
            under_way.fetch_sub(1, Ordering::SeqCst);
            done.send(()).unwrap();
        });
    }
    drop(done);
    assert_eq!(jobs.iter().count(), 300);
    let most = most.load(Ordering::SeqCst);
    assert!(0 < most && most <= THREADS, "{most} at once");
}

#[test]
fn a_panic_gives_its_place_back() {
    comes_to_an_end(|| {
        let pool = BoundedPool::new(THREADS).unwrap();
        for _ in 0..10 * THREADS {
            pool.spawn(|| panic!("a job"));
        }
        Pool::new(move |job| pool.spawn(job)).has_all_threads();
    });
}

#[test]
fn a_spawn_that_waits_goes_on_when_a_job_ends() {
    let pool = BoundedPool::new(1).unwrap();
    let (open, gate) = channel::<()>();
    let (done, jobs) = channel();
    let first = done.clone();
    pool.spawn(move || {
        gate.recv().unwrap();
        first.send("first").unwrap();
    });
    thread::scope(|scope| {
        scope.spawn(|| pool.spawn(move || done.send("second").unwrap()));
        open.send(()).unwrap();
    });
    assert_eq!(jobs.iter().collect::<Vec<_>>(), ["first", "second"]);
}
