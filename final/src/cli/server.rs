//! `kvs server`.

use super::Outcome;
use crate::options::{PoolKind, ServerOptions};
use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{EngineKind, KvStoreOptions, KvsEngine, KvsServer, SledKvsEngine, signals};

pub(super) fn serve(options: &ServerOptions) -> Outcome {
    let kind = EngineKind::choose(options.engine, options.dir())?;
    let (dir, durability) = (options.dir(), options.durability.unwrap_or_default());
    match kind {
        EngineKind::Kvs => {
            let store = KvStoreOptions::new().durability(durability).open(dir)?;
            with_engine(kind, store, options)
        }
        EngineKind::Sled => with_engine(kind, SledKvsEngine::open_with(dir, durability)?, options),
    }
}

fn with_engine<E: KvsEngine>(kind: EngineKind, engine: E, options: &ServerOptions) -> Outcome {
    match options.pool.unwrap_or(PoolKind::Queue) {
        PoolKind::Naive => with_pool::<E, NaiveThreadPool>(kind, engine, options),
        PoolKind::Queue => with_pool::<E, SharedQueueThreadPool>(kind, engine, options),
        PoolKind::Rayon => with_pool::<E, RayonThreadPool>(kind, engine, options),
    }
}

fn with_pool<E: KvsEngine, P: ThreadPool>(
    kind: EngineKind,
    engine: E,
    options: &ServerOptions,
) -> Outcome {
    let threads = options.threads.unwrap_or(num_cpus::get() as u32);
    let server = KvsServer::bind(options.addr(), engine, P::new(threads)?)?;
    let handle = server.handle();
    signals::on_terminate(move || handle.shutdown())?;
    log::info!("kvs-server {}", env!("CARGO_PKG_VERSION"));
    log::info!("engine: {kind}");
    let durability = options.durability.unwrap_or_default();
    log::info!("durability: {durability}: {}", durability.promise());
    log::info!("listening on {}", server.local_addr()?);
    server.run()?;
    log::info!("stopped");
    Ok(())
}
