//! What stage 5's pools cost where there is little to do, and what a server gets done on each.
//!
//! ```console
//! $ cargo bench --bench pools
//! $ cargo bench --bench pools -- --full --json benches/results/pools.json   # adds a round
//! ```
//!
//! `seldom`: a pool that has nothing else to do is given an empty job a millisecond. `cpu` is what the
//! whole process takes for each; `none` calls the job, and takes what its clock and its sleep do.
//!
//! `connects` and `keeps`: two clients get a key from a server whose pool has two threads, over a
//! connection for each request, which is a job, or over one that they keep.

use kvs_bench_kit::load::{Exchange, Load};
use kvs_bench_kit::options::{Amount, Options, in_memory};
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::repeat::Done;
use kvs_bench_kit::usage::Usage;
use kvs_bench_kit::{Outcome, Record, Unit};
use rayon_pool::thread_pool::{
    NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool,
};
use rayon_pool::{KvStore, KvsEngine, KvsServer};
use std::time::Duration;
use std::{process, thread};
use tempfile::TempDir;

/// As many as there are clients, and as the machine of the record has cores.
const THREADS: u32 = 2;

struct Bench {
    jobs: u32,
    seconds: f64,
    record: Record,
}

fn main() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let (jobs, seconds) = match options.amount {
        Amount::Test => (2, 0.001),
        Amount::Quick => (200, 0.1),
        Amount::Full => (2000, 0.5),
    };
    let settings = [("jobs", jobs.into()), ("seconds", seconds.into())];
    let record = Record::new(&in_memory(), settings)?
        .units(Unit::PerSecond, &["rate"])
        .units(Unit::Second, &["cpu", "p50", "p99", "p999", "longest"]);
    let mut bench = Bench { jobs, seconds, record: options.continued(record)? };
    bench.seldom("none", |job| job())?;
    bench.pool::<NaiveThreadPool>("naive")?;
    bench.pool::<SharedQueueThreadPool>("shared-queue")?;
    bench.pool::<RayonThreadPool>("rayon")?;
    options.json.map_or(Ok(()), |path| bench.record.write(&path))
}

impl Bench {
    fn pool<P: ThreadPool + Send + 'static>(&mut self, name: &str) -> Outcome<()> {
        let pool = P::new(THREADS)?;
        self.seldom(name, |job| pool.spawn(job))?;
        drop(pool);
        self.server(format!("connects/{name}"), P::new(THREADS)?, true)?;
        self.server(format!("keeps/{name}"), P::new(THREADS)?, false)
    }

    fn seldom(&mut self, name: &str, spawn: impl Fn(fn())) -> Outcome<()> {
        let before = Usage::of(process::id())?.cpu;
        for _ in 0..self.jobs {
            spawn(|| ());
            thread::sleep(Duration::from_millis(1));
        }
        let cpu = (Usage::of(process::id())?.cpu - before) / f64::from(self.jobs);
        self.add(format!("seldom/{name}"), [("cpu".to_owned(), cpu)].into());
        Ok(())
    }

    fn server(&mut self, of: String, pool: impl ThreadPool + Send, reconnect: bool) -> Outcome<()> {
        let dir = TempDir::new_in(in_memory())?;
        let store = KvStore::open(dir.path())?;
        store.set("animal".to_owned(), "crab".to_owned())?;
        let mut exchange = Exchange::default();
        exchange.get("animal", "crab");
        let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), store, pool)?;
        let (addr, handle) = (server.local_addr()?, server.handle());
        let measured = thread::scope(|scope| {
            let running = scope.spawn(|| server.run());
            let exchanges = &[exchange];
            let load = Load { addr, exchanges, clients: THREADS as usize, reconnect };
            let measured = load.measure(self.seconds, || Ok(()));
            handle.shutdown();
            running.join().map_err(|_| "the server panicked")??;
            measured
        })?;
        self.add(of, Done::sum(measured.done).figures(measured.seconds));
        Ok(())
    }

    fn add(&mut self, of: String, figures: Figures) {
        println!("{of}: {figures:?}");
        self.record.add(of, figures);
    }
}
