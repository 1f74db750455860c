//! `kvs server`.

use super::args::{PoolKind, ServerArgs};
use super::outcome::Outcome;
use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{EngineKind, KvStoreOptions, KvsEngine, KvsServer, Limits, SledKvsEngine, signals};
use rustix::process::{Resource, getrlimit, setrlimit};

pub(super) fn serve(args: &ServerArgs) -> Outcome {
    let kind = EngineKind::choose(args.engine, args.dir())?;
    let (dir, durability) = (args.dir(), args.durability.unwrap_or_default());
    match kind {
        EngineKind::Kvs => {
            let store = KvStoreOptions::new().durability(durability);
            with_engine(kind, store.open(dir)?, args)
        }
        EngineKind::Sled => with_engine(kind, SledKvsEngine::open_with(dir, durability)?, args),
    }
}

fn with_engine<E: KvsEngine>(kind: EngineKind, engine: E, args: &ServerArgs) -> Outcome {
    match args.pool() {
        PoolKind::Naive => with_pool::<E, NaiveThreadPool>(kind, engine, args),
        PoolKind::Queue => with_pool::<E, SharedQueueThreadPool>(kind, engine, args),
        PoolKind::Rayon => with_pool::<E, RayonThreadPool>(kind, engine, args),
    }
}

fn with_pool<E: KvsEngine, P: ThreadPool>(
    kind: EngineKind,
    engine: E,
    args: &ServerArgs,
) -> Outcome {
    let threads = args.threads();
    let limits = limited_by(raise_open_files(), args.limits());
    let server = KvsServer::bind_with(args.addr(), engine, P::new(threads)?, limits.clone())?;
    let handle = server.handle();
    signals::on_terminate(move || handle.shutdown())?;
    let durability = args.durability.unwrap_or_default();
    log::info!(
        "kvs-server {}; engine: {kind}; durability: {durability}: {}; pool: {}, {threads} threads; \
         {limits}; listening on {}",
        env!("CARGO_PKG_VERSION"),
        durability.promise(),
        args.pool(),
        server.local_addr()?
    );
    server.run()?;
    log::info!("stopped");
    Ok(())
}

/// Leaves a quarter of the descriptors to the engine: clients must not keep it from its files.
fn limited_by(open_files: Option<u64>, mut limits: Limits) -> Limits {
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
