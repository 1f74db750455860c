//! `kvs server`.

use super::Outcome;
use crate::options::{PoolKind, ServerOptions};
use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{EngineKind, KvStoreOptions, KvsEngine, KvsServer, Limits, SledKvsEngine, signals};
use rustix::process::{Resource, getrlimit, setrlimit};

pub(super) fn serve(options: &ServerOptions) -> Outcome {
    let kind = EngineKind::choose(options.engine, options.dir())?;
    let (dir, durability) = (options.dir(), options.durability.unwrap_or_default());
    match kind {
        EngineKind::Kvs => {
            let store = KvStoreOptions::new().durability(durability);
            with_engine(kind, store.open(dir)?, options)
        }
        EngineKind::Sled => with_engine(kind, SledKvsEngine::open_with(dir, durability)?, options),
    }
}

fn with_engine<E: KvsEngine>(kind: EngineKind, engine: E, options: &ServerOptions) -> Outcome {
    match options.pool() {
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
    let limits = within(raise_open_files(), options.limits.limits(threads));
    let server = KvsServer::bind_with(options.addr(), engine, P::new(threads)?, limits.clone())?;
    let handle = server.handle();
    signals::on_terminate(move || handle.shutdown())?;
    let durability = options.durability.unwrap_or_default();
    log::info!(
        "kvs-server {}; engine: {kind}; durability: {durability}: {}; pool: {}, {threads} threads; \
         {limits}; listening on {}",
        env!("CARGO_PKG_VERSION"),
        durability.promise(),
        options.pool(),
        server.local_addr()?
    );
    server.run()?;
    log::info!("stopped");
    Ok(())
}

/// Leaves a quarter of the descriptors to the engine: clients must not keep it from its files.
fn within(open_files: Option<u64>, mut limits: Limits) -> Limits {
    let most = open_files.map_or(usize::MAX, |files| (files / 4 * 3) as usize);
    if limits.connections > most {
        log::warn!(
            "{most} connections at most, not {}: the system allows too few open files",
            limits.connections
        );
        limits.connections = most;
    }
    limits
}

/// A connection is a file descriptor, and so is a segment of the log. Most systems allow few unless
/// asked for more. Returns how many there may be, if that is limited.
fn raise_open_files() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("the limit of open files stays as it is: {error}");
    }
    getrlimit(Resource::Nofile).current
}
