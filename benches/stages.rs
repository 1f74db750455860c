//! Every stage, and `final`, behind one interface, for the benches that set them side by side: its store and its server.

pub mod process;

use kvs_bench_kit::Outcome;
use kvs_final::Durability;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is measured: a step of the tutorial, or what it ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // their names say it
pub enum Stage {
    NaivePool,
    SharedEngine,
    ThreadedServer,
    SharedQueue,
    Rayon,
    RwLock,
    LockFree,
    Final,
}

impl Stage {
    /// All, in the order in which they take turns, and their names in the records.
    pub const ALL: [(Stage, &str); 8] = [
        (Stage::NaivePool, "stage-1"),
        (Stage::SharedEngine, "stage-2"),
        (Stage::ThreadedServer, "stage-3"),
        (Stage::SharedQueue, "stage-4"),
        (Stage::Rayon, "stage-5"),
        (Stage::RwLock, "stage-6"),
        (Stage::LockFree, "stage-7"),
        (Stage::Final, "final"),
    ];

    /// Those that a bench is to measure: all if it has that feature, otherwise the one with this number.
    pub fn picked(all: bool, number: &str) -> impl Iterator<Item = (Stage, &'static str)> {
        Stage::ALL.into_iter().filter(move |(_, name)| all || name.ends_with(number))
    }

    /// Opens a store. `final` at the level of durability that promises what the stages do, and no
    /// more: a write survives the end of the process. It would sync ten times a second otherwise.
    ///
    /// # Errors
    /// If the stage can't.
    pub fn open(self, dir: &Path) -> Outcome<Box<dyn Store>> {
        Ok(match self {
            Stage::NaivePool => Box::new(naive_pool::KvStore::open(dir)?),
            Stage::SharedEngine => Box::new(shared_engine::KvStore::open(dir)?),
            Stage::ThreadedServer => Box::new(threaded_server::KvStore::open(dir)?),
            Stage::SharedQueue => Box::new(shared_queue::KvStore::open(dir)?),
            Stage::Rayon => Box::new(rayon_pool::KvStore::open(dir)?),
            Stage::RwLock => Box::new(rwlock::KvStore::open(dir)?),
            Stage::LockFree => Box::new(lock_free::KvStore::open(dir)?),
            Stage::Final => Box::new(open_final(dir)?),
        })
    }
}

fn open_final(dir: &Path) -> kvs_final::Result<kvs_final::KvStore> {
    kvs_final::KvStoreOptions::new().durability(Durability::Os).open(dir)
}

/// A store in the hand of one thread.
pub trait Store: Send {
    /// The value of a key.
    ///
    /// # Errors
    /// If the engine fails.
    fn get(&mut self, key: String) -> Outcome<Option<String>>;

    /// Sets a key.
    ///
    /// # Errors
    /// If the engine fails.
    fn set(&mut self, key: String, value: String) -> Outcome<()>;

    /// The same store for another thread, if it can be shared.
    fn another(&self) -> Option<Box<dyn Store>>;

    /// How often it has compacted.
    fn compactions(&self) -> u64;

    /// Overwrites a key until that has led to a compaction, and that is done: a stage compacts within the
    /// `set` that finds half of the log stale.
    ///
    /// # Errors
    /// If the engine fails.
    fn churn(&mut self, key: &str, value: &str) -> Outcome<()> {
        let before = self.compactions();
        while self.compactions() == before {
            self.set(key.to_owned(), value.to_owned())?;
        }
        Ok(())
    }
}

macro_rules! store {
    ($stage:ident, $another:expr $(, $churn:item)?) => {
        impl Store for $stage::KvStore {
            fn get(&mut self, key: String) -> Outcome<Option<String>> {
                Ok($stage::KvsEngine::get(self, key)?)
            }

            fn set(&mut self, key: String, value: String) -> Outcome<()> {
                Ok($stage::KvsEngine::set(self, key, value)?)
            }

            fn another(&self) -> Option<Box<dyn Store>> {
                let another: fn(&Self) -> Option<Box<dyn Store>> = $another;
                another(self)
            }

            fn compactions(&self) -> u64 {
                self.stats().compactions
            }

            $($churn)?
        }
    };
}

store!(naive_pool, |_| None);
store!(shared_engine, |store| Some(Box::new(store.clone())));
store!(threaded_server, |store| Some(Box::new(store.clone())));
store!(shared_queue, |store| Some(Box::new(store.clone())));
store!(rayon_pool, |store| Some(Box::new(store.clone())));
store!(rwlock, |store| Some(Box::new(store.clone())));
store!(lock_free, |store| Some(Box::new(store.clone())));
store!(
    kvs_final,
    |store| Some(Box::new(store.clone())),
    /// It compacts by the same rule on a thread of its own, beside a writer that goes on. Here it does so
    /// on the writer's thread, as the stages do: as much is written between two compactions.
    fn churn(&mut self, key: &str, value: &str) -> Outcome<()> {
        loop {
            Store::set(self, key.to_owned(), value.to_owned())?;
            let stats = self.stats();
            if stats.garbage_bytes >= stats.live_bytes {
                return Ok(self.compact()?);
            }
        }
    }
);

macro_rules! server {
    ($stage:ident, $store:expr $(, $threads:expr)?) => {{
        let server = $stage::KvsServer::bind(
            ([127, 0, 0, 1], 0).into(),
            $store
            $(, <$stage::thread_pool::SharedQueueThreadPool as $stage::thread_pool::ThreadPool>::new($threads)?)?
        )?;
        println!("{}", server.local_addr()?);
        Ok(server.run()?)
    }};
}

/// Says its address, and serves the store in a directory until the process ends. Stage 3 has a thread for each
/// connection and stage 4 one for each core, whatever `threads` says; the others so many in a pool with one
/// queue. It fails if the stage has no server for several threads.
fn serve(stage: Stage, dir: &Path, threads: u32) -> Outcome<()> {
    match stage {
        Stage::NaivePool | Stage::SharedEngine => Err("its server has no threads".into()),
        Stage::ThreadedServer => server!(threaded_server, threaded_server::KvStore::open(dir)?),
        Stage::SharedQueue => server!(shared_queue, shared_queue::KvStore::open(dir)?),
        Stage::Rayon => server!(rayon_pool, rayon_pool::KvStore::open(dir)?, threads),
        Stage::RwLock => server!(rwlock, rwlock::KvStore::open(dir)?, threads),
        Stage::LockFree => server!(lock_free, lock_free::KvStore::open(dir)?, threads),
        Stage::Final => server!(kvs_final, open_final(dir)?, threads),
    }
}
