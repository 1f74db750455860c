//! Jobs that panic, in each pool.

use super::row::{Count, Outcome, Size, Stop, count, failed};
use super::support::local::until;
use super::support::process::threads;
use kvs_final::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use std::panic::panic_any;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

const THREADS: usize = 4;
/// So many jobs may wait: the naive pool has a thread for each.
const AHEAD: u64 = 500;

/// Counts when it is dropped, which a panic does as well.
struct Ends(Arc<AtomicU64>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("the payload's own drop");
        }
    }
}

/// Jobs that panic, and then one that does not; then the pool is dropped. It has `standing` threads
/// before and after, and none in the end.
fn panics<P: ThreadPool>(prefix: &str, standing: usize, jobs: u64) -> Result<u64, String> {
    let pool = P::new(THREADS as u32).map_err(|error| error.to_string())?;
    let own = || threads(process::id(), prefix).0;
    until("its threads are there", || own() == standing);
    let ended = Arc::new(AtomicU64::new(0));
    for number in 0..jobs {
        let ends = Ends(Arc::clone(&ended));
        pool.spawn(move || {
            let _ends = ends;
            match number % 10 {
                9 => panic_any(Bomb),
                8 => panic!("text with {number}"),
                _ => panic!("text"),
            }
        });
        if number % AHEAD == AHEAD - 1 {
            until_or(
                "the jobs end",
                || ended.load(Ordering::SeqCst) > number,
                || own() < standing,
            )?;
        }
    }
    until("the threads of the last jobs are gone", || own() <= standing);
    if own() != standing {
        return Err(format!("{} of {standing} threads are left", own()));
    }
    let (done, is_done): (Sender<()>, Receiver<()>) = mpsc::channel();
    pool.spawn(move || done.send(()).unwrap());
    is_done.recv().map_err(|_| "the next job is not run".to_owned())?;
    drop(pool);
    until("no thread is left", || own() == 0);
    Ok(jobs)
}

/// Waits for an event, unless another one comes.
fn until_or(
    event: &str,
    mut happened: impl FnMut() -> bool,
    never: impl Fn() -> bool,
) -> Result<(), String> {
    let mut gone = false;
    until(event, || {
        gone = never();
        gone || happened()
    });
    if gone && !happened() { Err(format!("{event}: no, its threads are gone")) } else { Ok(()) }
}

fn of<P: ThreadPool>(name: &str, prefix: &str, standing: usize, size: Size) -> Result<Count, Stop> {
    let wanted = size.pick(100_000, 3_000_000);
    let jobs = panics::<P>(prefix, standing, wanted).map_err(failed(size.seed))?;
    Ok(count(jobs, format!("panicking jobs in {name}"), wanted))
}

pub(crate) fn of_each(size: Size) -> Outcome {
    Ok(vec![
        of::<NaiveThreadPool>("the naive pool", "kvs-naive", 0, size)?,
        of::<SharedQueueThreadPool>("the shared queue", "kvs-queue", THREADS, size)?,
        of::<RayonThreadPool>("rayon", "kvs-rayon", THREADS, size)?,
    ])
}

type Job = Box<dyn FnOnce() + Send>;

/// A pool whose threads die with their jobs.
struct Mortal(Sender<Job>);

impl ThreadPool for Mortal {
    fn new(threads: u32) -> kvs_final::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(std::sync::Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            let next = move || jobs.lock().ok()?.recv().ok();
            let work = move || {
                while let Some(job) = next() {
                    job()
                }
            };
            thread::Builder::new().name("kvs-mortal".into()).spawn(work)?;
        }
        Ok(Mortal(sender))
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, job: F) {
        let _ = self.0.send(Box::new(job));
    }
}

pub(crate) fn of_one_whose_threads_die(size: Size) -> Outcome {
    of::<Mortal>("a mortal pool", "kvs-mortal", THREADS, size).map(|_| Vec::new())
}
