//! The engines: each, in each of its settings, behind one small trait.
//!
//! | engine | unsynced | after a power loss | every write synced |
//! |---|---|---|---|
//! | kvs | `Durability::Os` | what the system had not written yet is lost | `Durability::Always` |
//! | sled | as it comes: it flushes every 500 ms | what it had not flushed, or the system not written, is lost | `flush`, which is no `fdatasync`, and `fdatasync` |
//! | redb | `Durability::None` | all since the last commit at another level is lost: here, everything | `Durability::Immediate` |
//! | fjall | as it comes: the journal is handed to the system at each write | what the system had not written yet is lost | `persist(SyncData)` |
//! | lmdb | `MDB_NOSYNC` | the file may be damaged | as it comes |
//!
//! `raw` is no peer but the limit of the shape: a file that is appended to and synced, one write and one sync for all
//! that wait, and nothing that could be read. RocksDB is not among them: its crate needs libclang and builds a large C++
//! library.

use fjall::{Keyspace, KeyspaceCreateOptions, PersistMode};
use heed::types::{Bytes, Str};
use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::Key;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine};
use redb::{ReadableDatabase, TableDefinition, TableError};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::Write;
use std::mem;
use std::path::Path;
use std::sync::{Condvar, Mutex};

/// What a workload needs of an engine. Keys and values are lent: if an engine's interface wants to
/// own them, the copy is its own cost.
pub(crate) trait Engine: Send + Sync {
    /// Gives the keys their values, in one transaction if the engine has such a thing, as durably as
    /// it was opened for.
    fn set(&self, records: &[(Key, String)]) -> Outcome<()>;

    /// The value of the key, if it has one. It is the caller's own, as a server needs it that is
    /// going to send it: an engine that lends its values copies it.
    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>>;
}

/// The cache of engines that have one of their own: room for all data of all workloads.
const CACHE: usize = 4 << 30;

/// Opens the engine of this name in a directory. If it is synced, no write returns before the disk
/// has it; otherwise none waits for the disk.
pub(crate) fn open(name: &str, synced: bool, dir: &Path) -> Outcome<Box<dyn Engine>> {
    Ok(match name {
        "kvs" => {
            let durability = if synced { Durability::Always } else { Durability::Os };
            // As our server opens it.
            Box::new(KvStoreOptions::new().durability(durability).map_sealed(true).open(dir)?)
        }
        "sled" => {
            let db = sled::Config::new().path(dir).cache_capacity(CACHE as u64).open()?;
            let log = if synced { Some(File::open(dir.join("db"))?) } else { None };
            Box::new(Sled { db, log })
        }
        "redb" => {
            let db = redb::Builder::new().set_cache_size(CACHE).create(dir.join("redb"))?;
            let durability =
                if synced { redb::Durability::Immediate } else { redb::Durability::None };
            Box::new(Redb { db, durability })
        }
        "fjall" => {
            let db = fjall::Database::builder(dir).cache_size(CACHE as u64).open()?;
            let keyspace = db.keyspace("table", KeyspaceCreateOptions::default)?;
            Box::new(Fjall { db, keyspace, synced })
        }
        "lmdb" => Box::new(Lmdb::open(dir, synced)?),
        "raw" => Box::new(Raw::create(dir)?),
        _ => return Err(format!("there is no engine {name}").into()),
    })
}

impl Engine for KvStore {
    fn set(&self, records: &[(Key, String)]) -> Outcome<()> {
        let owned = |(key, value): &(Key, String)| (key.as_str().to_owned(), Some(value.clone()));
        match records {
            [(key, value)] => KvsEngine::set(self, key.as_str().to_owned(), value.clone())?,
            _ => self.write_batch(records.iter().map(owned).collect())?,
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        Ok(KvsEngine::get(self, key.to_owned())?.map(String::into_bytes))
    }
}

/// sled. As it comes, it flushes every 500 ms.
struct Sled {
    db: sled::Db,
    /// What its flush leaves out if it is synced: the file of its log, which has all values as short as
    /// these.
    log: Option<File>,
}

impl Engine for Sled {
    fn set(&self, records: &[(Key, String)]) -> Outcome<()> {
        match records {
            [(key, value)] => {
                self.db.insert(key.as_str(), value.as_str())?;
            }
            _ => {
                let mut batch = sled::Batch::default();
                records.iter().for_each(|(key, value)| batch.insert(key.as_str(), value.as_str()));
                self.db.apply_batch(batch)?;
            }
        }
        if let Some(log) = &self.log {
            self.db.flush()?;
            log.sync_data()?;
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        Ok(self.db.get(key)?.map(|value| value.to_vec()))
    }
}

/// redb. Without durability it hands nothing to the system either.
struct Redb {
    db: redb::Database,
    durability: redb::Durability,
}

const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("table");

impl Engine for Redb {
    fn set(&self, records: &[(Key, String)]) -> Outcome<()> {
        let mut write = self.db.begin_write()?;
        write.set_durability(self.durability)?;
        let mut table = write.open_table(TABLE)?;
        for (key, value) in records {
            table.insert(key.as_str(), value.as_bytes())?;
        }
        drop(table);
        Ok(write.commit()?)
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        match self.db.begin_read()?.open_table(TABLE) {
            Ok(table) => Ok(table.get(key)?.map(|value| value.value().to_vec())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// fjall. As it comes, its journal is handed to the system at each write.
struct Fjall {
    db: fjall::Database,
    keyspace: Keyspace,
    synced: bool,
}

impl Engine for Fjall {
    fn set(&self, records: &[(Key, String)]) -> Outcome<()> {
        match records {
            [(key, value)] => self.keyspace.insert(key.as_str(), value.as_str())?,
            _ => {
                let mut batch = self.db.batch();
                records.iter().for_each(|(key, value)| {
                    batch.insert(&self.keyspace, key.as_str(), value.as_str());
                });
                batch.commit()?;
            }
        }
        if self.synced {
            self.db.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        Ok(self.keyspace.get(key)?.map(|value| value.to_vec()))
    }
}

/// LMDB. As it comes, it syncs each transaction.
struct Lmdb {
    env: heed::Env,
    table: heed::Database<'static, Str, Bytes>,
}

impl Lmdb {
    #[allow(unsafe_code)] // LMDB reads its file by a map, and cannot be opened without
    fn open(dir: &Path, synced: bool) -> Outcome<Lmdb> {
        let mut options = EnvOpenOptions::new();
        // How long the file may become. Only address space is taken for it.
        options.map_size(32 << 30);
        // A get of a store that is larger than the memory reads what it needs, as ours does.
        let mut flags = EnvFlags::NO_READ_AHEAD;
        flags.set(EnvFlags::NO_SYNC, !synced);
        // SAFETY: one flag is dangerous to what is in the file after a power loss, which is thrown away,
        // and neither to anything in memory.
        unsafe { options.flags(flags) };
        // SAFETY: the directory was made for this run, nobody else changes what is in it, and this
        // process opens it once.
        let env = unsafe { options.open(dir)? };
        let create = env.create_databases_and_commit(env.write_txn()?, |opener, write| {
            opener.create_database(write, None).map(CommitOrAbort::<_, ()>::Commit)
        })?;
        let table = create.commit().ok_or("LMDB's table was not created")?;
        Ok(Lmdb { env, table })
    }
}

impl Engine for Lmdb {
    fn set(&self, records: &[(Key, String)]) -> Outcome<()> {
        let mut write = self.env.write_txn()?;
        for (key, value) in records {
            self.table.put(&mut write, key.as_str(), value.as_bytes())?;
        }
        Ok(write.commit()?)
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        let read = self.env.read_txn()?;
        Ok(self.table.get(&read, key)?.map(<[u8]>::to_vec))
    }
}

/// No peer, but the limit of the shape: a file with one write and one sync for all that wait, and nothing
/// that could be read.
struct Raw {
    file: File,
    queue: Mutex<Queue>,
    synced: Condvar,
}

/// What waits for the next write, and how many sets came and were synced.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    came: u64,
    synced: u64,
    is_led: bool,
}

impl Raw {
    fn create(dir: &Path) -> Outcome<Raw> {
        let file = File::create(dir.join("raw"))?;
        // As our log at that level: a sync of a file that doesn't grow costs less.
        fallocate(&file, FallocateFlags::empty(), 0, 1 << 30)?;
        Ok(Raw { file, queue: Mutex::default(), synced: Condvar::new() })
    }
}

impl Engine for Raw {
    fn set(&self, records: &[(Key, String)]) -> Outcome<()> {
        let mut queue = self.queue.lock().map_err(|e| e.to_string())?;
        for (key, value) in records {
            queue.bytes.extend(key.as_str().bytes().chain(value.bytes()));
        }
        queue.came += 1;
        let place = queue.came;
        while queue.synced < place {
            if queue.is_led {
                queue = self.synced.wait(queue).map_err(|e| e.to_string())?;
                continue;
            }
            queue.is_led = true;
            let (bytes, came) = (mem::take(&mut queue.bytes), queue.came);
            drop(queue);
            let done = (&self.file).write_all(&bytes).and_then(|()| self.file.sync_data());
            queue = self.queue.lock().map_err(|e| e.to_string())?;
            queue.is_led = false;
            self.synced.notify_all();
            done?;
            queue.synced = came;
        }
        Ok(())
    }

    fn get(&self, _: &str) -> Outcome<Option<Vec<u8>>> {
        Err("it cannot be read".into())
    }
}
