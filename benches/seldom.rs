//! The processor time that a job takes in stage 5's pools where there is little to do: an empty job a
//! millisecond, for a pool that has nothing else.
//!
//! ```console
//! $ cargo bench --bench seldom
//! $ cargo bench --bench seldom -- --full --json benches/results/seldom.json   # adds a round
//! ```
//!
//! It is the time of the whole process. `none` calls the job, and takes what clock and sleep do. Other
//! programs on the machine hardly matter: what they take isn't counted.

use kvs_bench_kit::options::{Amount, Options};
use kvs_bench_kit::usage::Usage;
use kvs_bench_kit::{Outcome, Record, Unit};
use rayon_pool::thread_pool::{
    NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool,
};
use std::time::Duration;
use std::{process, thread};

fn main() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let jobs = match options.amount {
        Amount::Test => 2,
        Amount::Quick => 200,
        Amount::Full => 2000,
    };
    let settings = [("jobs", jobs.into()), ("threads", 2.into())];
    let record = Record::new(&std::env::temp_dir(), settings)?.units(Unit::Second, &["cpu"]);
    let mut record = options.continued(record)?;
    let mut measure = |name: &str, spawn: &dyn Fn(fn())| -> Outcome<()> {
        if !options.wants(&format!("pool/{name}")) {
            return Ok(());
        }
        let before = Usage::of(process::id())?.cpu;
        for _ in 0..jobs {
            spawn(|| ());
            thread::sleep(Duration::from_millis(1));
        }
        let cpu = (Usage::of(process::id())?.cpu - before) / f64::from(jobs);
        println!("{name}: {:.0} µs", cpu * 1e6);
        record.add(format!("pool/{name}"), [("cpu".to_owned(), cpu)].into());
        Ok(())
    };
    measure("none", &|job| job())?;
    let pool = NaiveThreadPool::new(2)?;
    measure("naive", &|job| pool.spawn(job))?;
    let pool = SharedQueueThreadPool::new(2)?;
    measure("shared-queue", &|job| pool.spawn(job))?;
    drop(pool);
    let pool = RayonThreadPool::new(2)?;
    measure("rayon", &|job| pool.spawn(job))?;
    options.keep(&record)
}
