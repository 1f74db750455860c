//! Each stage with the threads that its server gives it.

use crate::clock::Clock;
use crate::script::{
    Action, FINAL_COMPACT_AT, LONG_KEY, READ_KEY, REQUESTS, STAGES_COMPACT_AT, WORKERS, value,
};
use crate::strips::Strip;
use kvs_common::sync_points::{self, Point};
use kvs_final::sync_points as own;
use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool as _};
use kvs_final::{Durability, KvStoreOptions, KvsEngine as _};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use tempfile::TempDir;

/// A stage, and what serves the requests in it.
#[derive(Clone, Copy)]
pub struct Stage {
    /// Or `final`.
    pub number: &'static str,
    name: &'static str,
    pub server: &'static str,
    pub serve: fn(&Path, Arc<Clock>) -> Server,
}

impl Stage {
    pub fn title(&self) -> String {
        format!("{} {}", self.number, self.name).trim().to_owned()
    }
}

const fn stage(
    number: &'static str,
    name: &'static str,
    server: &'static str,
    serve: fn(&Path, Arc<Clock>) -> Server,
) -> Stage {
    Stage { number, name, server, serve }
}

/// The run that the sync points report to: they are the process's, so there is one run at a time.
static RUNNING: Mutex<Option<Arc<Clock>>> = Mutex::new(None);

fn running() -> Option<Arc<Clock>> {
    RUNNING.lock().unwrap().clone()
}

/// Lets a stage serve what the script asks.
pub fn run(serve: fn(&Path, Arc<Clock>) -> Server) -> Vec<Strip> {
    let clock = Arc::new(Clock::default());
    *RUNNING.lock().unwrap() = Some(Arc::clone(&clock));
    let dir = TempDir::new().unwrap();
    let strips = clock.run(serve(dir.path(), Arc::clone(&clock)));
    *RUNNING.lock().unwrap() = None;
    strips
}

/// Lets the sync points of all stages report to whatever runs.
pub fn install_sync_points() {
    let stages = sync_points::install(|point| {
        let Some(clock) = running() else { return };
        match point {
            Point::Fetch => clock.read(),
            Point::Read => clock.work(),
            Point::Append => {
                clock.work();
                clock.write();
            }
        }
    });
    let last = own::install(|point| {
        let Some(clock) = running() else { return };
        match point {
            own::Point::Read => clock.work(),
            own::Point::Append => clock.lead(),
            own::Point::FileRead => clock.read(),
            own::Point::FileWrite => clock.write(),
            own::Point::FileSync => clock.sync(),
        }
    });
    assert!(stages && last, "the sync points are not compiled in");
}

/// Takes the number of a request and sees to it that it is served, on some thread.
pub type Server = Box<dyn Fn(usize)>;

/// Does what a request asks for.
macro_rules! answer {
    ($store:expr, $number:expr) => {
        match REQUESTS[$number].action {
            Action::Get => {
                assert_eq!($store.get(READ_KEY.to_owned()).unwrap(), Some(value()));
            }
            Action::Set(key) => $store.set(key.to_owned(), value()).unwrap(),
        }
    };
}

/// Opens a stage's store with what the script needs in it.
macro_rules! open {
    ($open:expr, $long:expr) => {{
        #[allow(unused_mut)] // one stage changes its store through `&mut`
        let mut store = $open.unwrap();
        store.set(READ_KEY.to_owned(), value()).unwrap();
        store.set(LONG_KEY.to_owned(), "v".repeat($long)).unwrap();
        store
    }};
}

/// Requests take turns on one thread, as connections do in the server of these stages.
macro_rules! one_thread {
    ($library:ident, $dir:expr, $clock:expr) => {{
        use $library::KvsEngine as _;
        #[allow(unused_mut)]
        let mut store = open!($library::KvStore::open($dir), STAGES_COMPACT_AT);
        let (ask, requests) = mpsc::channel();
        thread::spawn(move || {
            for number in requests {
                $clock.serve(number, || answer!(store, number));
            }
        });
        Box::new(move |number| ask.send(number).unwrap())
    }};
}

/// Each request is a job of the stage's pool.
macro_rules! pool {
    ($library:ident, $pool:ident, $dir:expr, $clock:expr) => {{
        use $library::KvsEngine as _;
        use $library::thread_pool::{ThreadPool, $pool};
        let store = open!($library::KvStore::open($dir), STAGES_COMPACT_AT);
        let pool = $pool::new(WORKERS).unwrap();
        Box::new(move |number| {
            let (store, clock) = (store.clone(), Arc::clone(&$clock));
            pool.spawn(move || clock.serve(number, || answer!(store, number)));
        })
    }};
}

pub const STAGES: [Stage; 9] = [
    stage("0", "start", "one thread", |dir, clock| one_thread!(start, dir, clock)),
    stage("1", "naive-pool", "one thread", |dir, clock| one_thread!(naive_pool, dir, clock)),
    stage("2", "shared-engine", "one thread", |dir, clock| one_thread!(shared_engine, dir, clock)),
    stage("3", "threaded-server", "a thread for each request", |dir, clock| {
        pool!(threaded_server, NaiveThreadPool, dir, clock)
    }),
    stage("4", "shared-queue", "a queue for 3 threads", |dir, clock| {
        pool!(shared_queue, SharedQueueThreadPool, dir, clock)
    }),
    stage("5", "rayon", "3 threads of rayon", |dir, clock| {
        pool!(rayon_pool, RayonThreadPool, dir, clock)
    }),
    stage("6", "rwlock", "a queue for 3 threads", |dir, clock| {
        pool!(rwlock, SharedQueueThreadPool, dir, clock)
    }),
    stage("7", "lock-free", "a queue for 3 threads", |dir, clock| {
        pool!(lock_free, SharedQueueThreadPool, dir, clock)
    }),
    stage("final", "", "a queue for 3 threads", server_of_final),
];

/// As in a pool; a set's answer may come from another thread, as it may in the server.
fn server_of_final(dir: &Path, clock: Arc<Clock>) -> Server {
    let options = KvStoreOptions::new().durability(Durability::Os).hint_eighths(0);
    let options = options.compact_at(FINAL_COMPACT_AT as u64);
    let store = open!(options.open(dir), FINAL_COMPACT_AT);
    let pool = SharedQueueThreadPool::new(WORKERS).unwrap();
    Box::new(move |number| {
        let (store, clock) = (store.clone(), Arc::clone(&clock));
        pool.spawn(move || match REQUESTS[number].action {
            Action::Get => clock.serve(number, || answer!(store, number)),
            Action::Set(key) => {
                let ended = Arc::clone(&clock);
                let done = move |result: kvs_final::Result<()>| {
                    result.unwrap();
                    ended.end(number);
                };
                clock.begin(number, || store.set_then(key.to_owned(), value(), done));
            }
        });
    })
}
