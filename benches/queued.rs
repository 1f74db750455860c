//! The six benches of the course's challenge: a server whose pool has N threads, and a thousand
//! clients with one request each.
//!
//! | bench | pool | engine |
//! |---|---|---|
//! | `write_queued_kvstore`, `read_queued_kvstore` | `SharedQueueThreadPool` | `KvStore` |
//! | `write_queued_rayon`, `read_queued_rayon` | `RayonThreadPool` | `KvStore` |
//! | `write_queued_sled`, `read_queued_sled` | `RayonThreadPool` | `SledKvsEngine` |
//!
//! The parameter is the number of threads in the server's pool. Each request opens a connection of its own,
//! as the course's client does, from an address of the client's own: a port stays taken for a while after its
//! connection, and with one address for all, an iteration would soon be a search for free ports.
//!
//! The keys and the value are the same in every iteration, and every answer is checked. Server,
//! store, clients and the keys are there before the clock runs. `null` is the same with clients that do
//! nothing: that much of each figure is the harness's own. "Measure it" in the text builds such a bench.
//!
//! `KVS_RECORD=keep cargo bench --features stage-5 --bench queued -- --quick` adds a round to the
//! record, which is of one stage.

#[cfg(from_stage = "4")]
fn main() -> kvs_bench_kit::Outcome<()> {
    six::measure()
}

#[cfg(not(from_stage = "4"))]
fn main() {
    println!("this stage's server has no pool with a queue: none of the six benches");
}

#[cfg(from_stage = "4")]
mod six {
    use criterion::{BenchmarkId, Criterion, Throughput};
    use kvs::thread_pool::{SharedQueueThreadPool, ThreadPool};
    use kvs::{KvStore, KvsServer};
    use kvs_bench_kit::criterion::keep_if_asked;
    use kvs_bench_kit::load::{Exchange, allow_open_files, connect};
    use kvs_bench_kit::{Outcome, Record, Unit};
    use std::cell::LazyCell;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use tempfile::TempDir;

    /// How many clients there are, each with one request an iteration.
    const CLIENTS: usize = 1000;
    /// How many clients are under way at a time. The stages listen with the standard library's backlog of
    /// 128 connections. A connection that finds it full is lost, and the client's system tries again only
    /// after a second, then after two more, and so on. A client that is answered was accepted, so as many as
    /// the backlog holds never overflow it.
    const AT_ONCE: u32 = 128;
    const VALUE: &str = "0123456789abcdef";
    /// Whose server it is: Criterion compares it with none but itself.
    const SERVER: &str =
        if cfg!(stage = "final") { "final" } else { concat!("stage-", env!("KVS_STAGE")) };

    pub fn measure() -> Outcome<()> {
        // Both ends of the connections, those that the server hasn't closed yet, and the stores' files.
        allow_open_files(4 * u64::from(AT_ONCE))?;
        let new = || {
            let settings = [
                ("stage", env!("KVS_STAGE").into()),
                ("clients", CLIENTS.into()),
                ("at_once", AT_ONCE.into()),
            ];
            let record = Record::new(&std::env::temp_dir(), settings)?;
            Ok(record.units(Unit::Second, &["seconds"]))
        };
        keep_if_asked("queued", new, || {
            let mut criterion = Criterion::default().configure_from_args();
            let clients = Clients(SharedQueueThreadPool::new(AT_ONCE).unwrap());
            let mut group = criterion.benchmark_group("null");
            group.throughput(Throughput::Elements(CLIENTS as u64)).sample_size(20);
            group.bench_function("clients", |b| b.iter(|| clients.each(|_| {})));
            drop(group);
            all(&mut criterion, &clients);
            criterion.final_summary();
            Default::default()
        })
    }

    #[cfg(from_stage = "5")]
    fn all(criterion: &mut Criterion, clients: &Clients) {
        use kvs::thread_pool::RayonThreadPool;
        let store = |dir: &TempDir| KvStore::open(dir.path());
        let sled = |dir: &TempDir| kvs::SledKvsEngine::open(dir.path());
        bench(criterion, clients, "kvstore", start::<_, SharedQueueThreadPool>(store));
        bench(criterion, clients, "rayon", start::<_, RayonThreadPool>(store));
        bench(criterion, clients, "sled", start::<_, RayonThreadPool>(sled));
    }

    #[cfg(not(from_stage = "5"))]
    fn all(criterion: &mut Criterion, clients: &Clients) {
        println!("this stage has neither rayon's pool nor sled: no *_rayon and no *_sled");
        bench(criterion, clients, "kvstore", start);
    }

    /// The two of a kind of server.
    fn bench(c: &mut Criterion, clients: &Clients, name: &str, start: impl Fn(u32) -> Server) {
        let exchanges = |ask: fn(&mut Exchange, &str, &str)| -> Arc<[Exchange]> {
            let exchange = |number: usize| {
                let mut exchange = Exchange::default();
                ask(&mut exchange, &format!("key{number:06}"), VALUE);
                exchange
            };
            (0..CLIENTS).map(exchange).collect()
        };
        let (set, get) = (exchanges(Exchange::set), exchanges(Exchange::get));
        let ask = |addr, exchanges: &Arc<[Exchange]>| {
            let exchanges = Arc::clone(exchanges);
            clients.each(move |number| {
                let mut connection = connect(number, addr).unwrap();
                exchanges[number].ask(&mut connection, &mut Vec::new()).unwrap();
            });
        };
        for (what, exchanges) in [("write", &set), ("read", &get)] {
            // No throughput: Criterion would take it for the input, and draw nothing against the threads.
            let mut group = c.benchmark_group(format!("{what}_queued_{name}"));
            group.sample_size(20);
            for threads in threads() {
                // A filter may leave it out.
                let server = LazyCell::new(|| {
                    let server = start(threads);
                    // Every key is there, so that each write is an overwrite, and each read finds something.
                    ask(server.addr, &set);
                    server
                });
                let id = BenchmarkId::new(SERVER, threads);
                group.bench_with_input(id, &server, |b, server| {
                    let addr = server.addr;
                    b.iter(|| ask(addr, exchanges));
                });
            }
        }
    }

    /// Threads that are there already: to start them would cost more than their requests.
    struct Clients(SharedQueueThreadPool);

    impl Clients {
        /// Lets every client do `work` with its number; returns when all have.
        ///
        /// They share one end of a channel, and the last one closes it: if each sent a message, the thread
        /// that waits would wake up to a thousand times an iteration and take the processor from a client
        /// each time. One that panics lets go of it, too: the bench fails then, and does not hang.
        fn each(&self, work: impl Fn(usize) + Send + Sync + 'static) {
            let (under_way, ended) = mpsc::channel::<()>();
            // Those that have not failed. `Relaxed`, since the end of the channel orders it.
            let answered = Arc::new(AtomicUsize::new(0));
            let iteration = Arc::new((work, Arc::clone(&answered), under_way));
            for number in 0..CLIENTS {
                let iteration = Arc::clone(&iteration);
                self.0.spawn(move || {
                    iteration.0(number);
                    iteration.1.fetch_add(1, Ordering::Relaxed);
                });
            }
            drop(iteration);
            assert!(ended.recv().is_err());
            assert_eq!(answered.load(Ordering::Relaxed), CLIENTS, "a client has failed, see above");
        }
    }

    /// A server of the stage, on a thread of its own, with a store in a directory of its own.
    struct Server {
        addr: SocketAddr,
        #[cfg(from_stage = "5")]
        stop: kvs::ServerHandle,
        #[cfg(from_stage = "5")]
        running: Option<thread::JoinHandle<kvs::Result<()>>>,
        _dir: TempDir,
    }

    /// How many threads the server's pool is given: 1, 2, and every even number up to twice the cores.
    #[cfg(from_stage = "5")]
    fn threads() -> Vec<u32> {
        let most = 2 * num_cpus::get() as u32;
        [1].into_iter().chain((2..=most).step_by(2)).collect()
    }

    /// How many threads the server's pool has; this stage's cannot be told.
    #[cfg(not(from_stage = "5"))]
    fn threads() -> Vec<u32> {
        vec![num_cpus::get() as u32]
    }

    #[cfg(from_stage = "5")]
    fn start<E: kvs::KvsEngine, P: ThreadPool + Send + 'static>(
        open: impl Fn(&TempDir) -> kvs::Result<E>,
    ) -> impl Fn(u32) -> Server {
        move |threads| {
            let dir = TempDir::new().unwrap();
            let (engine, pool) = (open(&dir).unwrap(), P::new(threads).unwrap());
            let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), engine, pool).unwrap();
            let (addr, stop) = (server.local_addr().unwrap(), server.handle());
            let running = Some(thread::spawn(move || server.run()));
            Server { addr, stop, running, _dir: dir }
        }
    }

    #[cfg(from_stage = "5")]
    impl Drop for Server {
        fn drop(&mut self) {
            self.stop.shutdown();
            if let Some(running) = self.running.take() {
                running.join().unwrap().unwrap();
            }
        }
    }

    /// This stage's server has one kind of pool and cannot be stopped from code: it runs until the bench
    /// ends.
    #[cfg(not(from_stage = "5"))]
    fn start(_threads: u32) -> Server {
        let dir = TempDir::new().unwrap();
        let engine = KvStore::open(dir.path()).unwrap();
        let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), engine).unwrap();
        let addr = server.local_addr().unwrap();
        thread::spawn(move || server.run());
        Server { addr, _dir: dir }
    }
}
