//! What every thread pool must do, run against each pool that the stage has.
#![cfg(from_stage = "1")]

#[cfg(from_stage = "5")]
use kvs::thread_pool::RayonThreadPool;
#[cfg(from_stage = "4")]
use kvs::thread_pool::SharedQueueThreadPool;
use kvs::thread_pool::{NaiveThreadPool, ThreadPool};
use kvs_test_kit::WATCHDOG;
#[cfg(target_os = "linux")]
use kvs_test_kit::{process::threads, until};
use std::env;
use std::panic::panic_any;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender, channel};
use std::sync::{Arc, Barrier, RwLock};

const THREADS: u32 = 4;

/// 1000 jobs, each counted once.
fn runs_every_job<P: ThreadPool>() {
    let pool = P::new(THREADS).unwrap();
    let (done, jobs) = channel();
    for number in 0..1000 {
        let done = done.clone();
        pool.spawn(move || done.send(number).unwrap());
    }
    let mut seen: Vec<i32> = (0..1000).map(|_| jobs.recv_timeout(WATCHDOG).unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..1000).collect::<Vec<_>>());
}

/// Fails unless `THREADS` jobs can be under way at the same time.
fn assert_has_all_threads<P: ThreadPool>(pool: &P) {
    let (done, jobs) = channel();
    let all = Arc::new(Barrier::new(THREADS as usize));
    for _ in 0..THREADS {
        let (all, done) = (Arc::clone(&all), done.clone());
        pool.spawn(move || {
            all.wait();
            done.send(()).unwrap();
        });
    }
    for _ in 0..THREADS {
        jobs.recv_timeout(WATCHDOG).expect("too few threads for the jobs to meet");
    }
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

/// And keep nothing: the sender goes with its job, whether the job owns it or what it panics with.
fn panicking_jobs_cost_no_thread<P: ThreadPool>() {
    let pool = P::new(THREADS).unwrap();
    let (done, jobs) = channel();
    for number in 0..50 {
        let done: Sender<()> = done.clone();
        pool.spawn(move || match number % 4 {
            0 => panic!("text"),
            1 => panic!("text with {number} and {done:?}"),
            // A thread that catches nothing, as in the first stages, ends the process by that.
            2 if cfg!(from_stage = "4") => panic_any(Bomb { _owned: done }),
            _ => panic_any(done),
        });
    }
    drop(done);
    assert_eq!(jobs.recv_timeout(WATCHDOG), Err(mpsc::RecvTimeoutError::Disconnected));
    assert_has_all_threads(&pool);
}

/// Says so when the thread that owns it ends.
struct AtThreadEnd(Sender<()>);

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local!(static AT_THREAD_END: std::cell::OnceCell<AtThreadEnd> = const { std::cell::OnceCell::new() });

/// Makes `THREADS` threads of the pool report their end.
fn watch_threads<P: ThreadPool>(pool: &P) -> Receiver<()> {
    let (ended, ends) = channel();
    let all = Arc::new(Barrier::new(THREADS as usize));
    for _ in 0..THREADS {
        let (all, ended) = (Arc::clone(&all), ended.clone());
        pool.spawn(move || {
            AT_THREAD_END.with(|cell| assert!(cell.set(AtThreadEnd(ended)).is_ok()));
            all.wait();
        });
    }
    ends
}

fn threads_are_gone_after_drop<P: ThreadPool>() {
    let pool = P::new(THREADS).unwrap();
    let ends = watch_threads(&pool);
    drop(pool);
    for _ in 0..THREADS {
        ends.recv_timeout(WATCHDOG).expect("a thread outlived its pool");
    }
}

#[cfg(target_os = "linux")]
/// Runs `test` again in a process whose address space has room for a handful of threads.
/// Returns true in that process.
fn in_a_process_with_few_threads(test: &str) -> bool {
    if env::var_os("KVS_FEW_THREADS").is_some() {
        return true;
    }
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 1000000; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env("KVS_FEW_THREADS", "1")
        // Stacks of 100 MiB: few threads fit, and what they need besides always does.
        .env("RUST_MIN_STACK", "104857600")
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "no such test: {text}");
    false
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

    pub fn jobs_that_wait_are_run_before_drop_returns<P: ThreadPool>() {
        let pool = P::new(THREADS).unwrap();
        let (done, jobs) = channel();
        for _ in 0..1000 {
            let done = done.clone();
            pool.spawn(move || done.send(()).unwrap());
        }
        drop(pool);
        assert_eq!(jobs.try_iter().count(), 1000);
    }

    pub fn dropping_the_pool_inside_its_own_job_ends_its_threads<
        P: ThreadPool + Send + Sync + 'static,
    >() {
        let pool = Arc::new(P::new(THREADS).unwrap());
        let ends = watch_threads(&*pool);
        let (pass, passed) = channel::<Arc<P>>();
        let (dropped, drops) = channel();
        pool.spawn(move || {
            let mut pool = passed.recv().unwrap();
            // The test's own reference goes right after it was passed on.
            let pool = loop {
                match Arc::try_unwrap(pool) {
                    Ok(last) => break last,
                    Err(shared) => pool = shared,
                }
                std::thread::yield_now();
            };
            drop(pool);
            dropped.send(()).unwrap();
        });
        pass.send(pool).unwrap();
        drops.recv_timeout(WATCHDOG).expect("the drop waits for its own job");
        for _ in 0..THREADS {
            ends.recv_timeout(WATCHDOG).expect("a thread outlived its pool");
        }
    }

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
    pub fn new_that_fails_half_way_ends_what_it_had_started<P: ThreadPool>(test: &str) {
        if !in_a_process_with_few_threads(test) {
            return;
        }
        let before = own_threads();
        let Err(error) = P::new(60_000) else { panic!("60,000 threads in a gigabyte") };
        let words = error.to_string();
        assert!(words.contains("cannot start thread") && words.contains("of 60000"), "{words}");
        wait_for_threads(before);
        assert_has_all_threads(&P::new(THREADS).unwrap());
    }
}

/// Declares tests, most of them in a line each.
macro_rules! tests {
    ($($(#[$attribute:meta])* fn $name:ident $work:block)*) => {
        $($(#[$attribute])* #[test] fn $name() $work)*
    };
}

tests! {
    fn naive_thread_pool_spawn_counter { runs_every_job::<NaiveThreadPool>() }
    fn naive_thread_pool_panicking_jobs_cost_no_thread {
        panicking_jobs_cost_no_thread::<NaiveThreadPool>()
    }
    fn naive_thread_pool_threads_are_gone_after_drop {
        threads_are_gone_after_drop::<NaiveThreadPool>()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn naive_thread_pool_a_refused_thread_costs_only_its_job() {
    if !in_a_process_with_few_threads("naive_thread_pool_a_refused_thread_costs_only_its_job") {
        return;
    }
    /// Jobs wait here until all were spawned.
    static GATE: RwLock<()> = RwLock::new(());
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
    assert_has_all_threads(&pool);
}

#[cfg(from_stage = "4")]
tests! {
    fn shared_queue_thread_pool_spawn_counter { runs_every_job::<SharedQueueThreadPool>() }
    fn shared_queue_thread_pool_panic_task {
        panicking_jobs_cost_no_thread::<SharedQueueThreadPool>()
    }
    fn shared_queue_thread_pool_threads_are_gone_after_drop {
        threads_are_gone_after_drop::<SharedQueueThreadPool>()
    }
    fn shared_queue_thread_pool_jobs_that_wait_are_run_before_drop_returns {
        bounded::jobs_that_wait_are_run_before_drop_returns::<SharedQueueThreadPool>()
    }
    fn shared_queue_thread_pool_dropped_inside_its_own_job_ends_its_threads {
        bounded::dropping_the_pool_inside_its_own_job_ends_its_threads::<SharedQueueThreadPool>()
    }
    fn shared_queue_thread_pool_runs_jobs_in_the_order_in_which_they_were_spawned {
        assert_eq!(bounded::order::<SharedQueueThreadPool>(), "o".repeat(10_000) + "abc")
    }
    fn shared_queue_thread_pool_zero_threads_are_refused {
        bounded::zero_threads_are_refused::<SharedQueueThreadPool>()
    }
    #[cfg(target_os = "linux")]
    fn shared_queue_thread_pool_new_that_fails_half_way_ends_what_it_had_started {
        let test = "shared_queue_thread_pool_new_that_fails_half_way_ends_what_it_had_started";
        bounded::new_that_fails_half_way_ends_what_it_had_started::<SharedQueueThreadPool>(test)
    }
}

#[cfg(from_stage = "5")]
tests! {
    fn rayon_thread_pool_spawn_counter { runs_every_job::<RayonThreadPool>() }
    fn rayon_thread_pool_panic_task { panicking_jobs_cost_no_thread::<RayonThreadPool>() }
    fn rayon_thread_pool_threads_are_gone_after_drop {
        threads_are_gone_after_drop::<RayonThreadPool>()
    }
    fn rayon_thread_pool_jobs_that_wait_are_run_before_drop_returns {
        bounded::jobs_that_wait_are_run_before_drop_returns::<RayonThreadPool>()
    }
    fn rayon_thread_pool_dropped_inside_its_own_job_ends_its_threads {
        bounded::dropping_the_pool_inside_its_own_job_ends_its_threads::<RayonThreadPool>()
    }
    fn rayon_thread_pool_runs_first_what_a_job_spawned_last {
        assert_eq!(bounded::order::<RayonThreadPool>(), "cba".to_owned() + &"o".repeat(10_000))
    }
    fn rayon_thread_pool_zero_threads_are_refused {
        bounded::zero_threads_are_refused::<RayonThreadPool>()
    }
    #[cfg(target_os = "linux")]
    fn rayon_thread_pool_new_that_fails_half_way_ends_what_it_had_started {
        let test = "rayon_thread_pool_new_that_fails_half_way_ends_what_it_had_started";
        bounded::new_that_fails_half_way_ends_what_it_had_started::<RayonThreadPool>(test)
    }
}

#[cfg(all(from_stage = "5", target_os = "linux"))]
#[test]
fn rayon_thread_pool_more_threads_than_rayon_can_have_are_refused() {
    let test = "rayon_thread_pool_more_threads_than_rayon_can_have_are_refused";
    if in_a_process_with_few_threads(test) {
        let Err(error) = RayonThreadPool::new(65_536) else { panic!("65,536 threads") };
        assert!(error.to_string().contains("at most 65535 threads"), "{error}");
    }
}
