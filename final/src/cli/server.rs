//! `kvs server`.

use super::args::{PoolKind, ServerArgs};
use super::outcome::{Outcome, err_msg};
use super::signals;
use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{Durability, EngineKind, KvStoreOptions, KvsEngine, KvsServer, Limits, SledKvsEngine};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::net::ToSocketAddrs;

pub(super) fn serve(args: &ServerArgs) -> Outcome {
    let (dir, level) = (args.dir(), args.durability);
    match EngineKind::choose(args.engine, dir)? {
        EngineKind::Kvs => {
            let level = level.unwrap_or_default();
            let store = KvStoreOptions::new().durability(level).open(dir)?;
            with_engine(store, &promise(EngineKind::Kvs, level), args)
        }
        EngineKind::Sled => match level.unwrap_or(Durability::Os) {
            Durability::Os => {
                let promise = promise(EngineKind::Sled, Durability::Os);
                with_engine(SledKvsEngine::open(dir)?, &promise, args)
            }
            level => Err(err_msg(format!(
                "sled does not sync what it writes, so its durability is `os` and not `{level}`"
            ))),
        },
    }
}

/// What is said of an engine at the start.
fn promise(engine: EngineKind, level: Durability) -> String {
    format!("engine: {engine}; durability: {level}: {}", level.promise())
}

fn with_engine<E: KvsEngine>(engine: E, promise: &str, args: &ServerArgs) -> Outcome {
    match args.pool() {
        PoolKind::Naive => with_pool::<E, NaiveThreadPool>(engine, promise, args),
        PoolKind::Queue => with_pool::<E, SharedQueueThreadPool>(engine, promise, args),
        PoolKind::Rayon => with_pool::<E, RayonThreadPool>(engine, promise, args),
    }
}

fn with_pool<E: KvsEngine, P: ThreadPool>(engine: E, promise: &str, args: &ServerArgs) -> Outcome {
    let (pool, threads) = (args.pool(), args.threads());
    let limits = limited_by(raise_open_files(), args.limits());
    let addr = args.addr();
    let addr = match addr.to_socket_addrs().map(|mut addrs| addrs.next()) {
        Ok(Some(addr)) => addr,
        Ok(None) => return Err(err_msg(format!("{addr} stands for no address"))),
        Err(error) => return Err(err_msg(format!("{addr}: {error}"))),
    };
    let server = KvsServer::bind_with(addr, engine, P::new(threads)?, limits.clone())?;
    let handle = server.handle();
    signals::on_terminate(move || handle.shutdown())?;
    log::info!(
        "kvs-server {}; {promise}; pool: {pool}, {threads} threads; {limits}; listening on {}",
        env!("CARGO_PKG_VERSION"),
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
