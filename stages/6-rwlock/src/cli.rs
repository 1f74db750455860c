//! The programs.

use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{KvStore, KvsEngine, KvsServer, SledKvsEngine};
pub use kvs_common::cli::client;
use kvs_common::cli::{self, Outcome};
use kvs_common::options::{self, PoolKind, PooledServerOptions};
use kvs_common::{EngineKind, signals};
use std::num::NonZeroU32;
use std::process::ExitCode;

/// The server program.
pub fn server() -> ExitCode {
    cli::run(|| {
        let options: PooledServerOptions = options::parse();
        let dir = options.server.dir();
        let kind = EngineKind::choose(options.server.engine, dir)?;
        match kind {
            EngineKind::Kvs => with_engine(kind, KvStore::open(dir)?, &options),
            EngineKind::Sled => with_engine(kind, SledKvsEngine::open(dir)?, &options),
        }
    })
}

fn with_engine<E: KvsEngine>(
    kind: EngineKind,
    engine: E,
    options: &PooledServerOptions,
) -> Outcome {
    match options.pool.unwrap_or(PoolKind::Queue) {
        PoolKind::Naive => with_pool::<E, NaiveThreadPool>(kind, engine, options),
        PoolKind::Queue => with_pool::<E, SharedQueueThreadPool>(kind, engine, options),
        PoolKind::Rayon => with_pool::<E, RayonThreadPool>(kind, engine, options),
    }
}

fn with_pool<E: KvsEngine, P: ThreadPool>(
    kind: EngineKind,
    engine: E,
    options: &PooledServerOptions,
) -> Outcome {
    let threads = options.threads.map_or(num_cpus::get() as u32, NonZeroU32::get);
    let server = KvsServer::bind(options.server.addr(), engine, P::new(threads)?)?;
    let handle = server.handle();
    signals::on_terminate(move || handle.shutdown())?;
    cli::announce(kind, server.local_addr()?);
    server.run()?;
    log::info!("stopped");
    Ok(())
}
