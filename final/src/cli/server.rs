//! `kvs server`.

use super::args::ServerArgs;
use super::outcome::{Error, Outcome, err_msg};
use super::{process, signals, stderr};
use crate::os::Socket;
use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{Durability, EngineKind, KvStoreOptions, KvsEngine, KvsServer, Limits, SledKvsEngine};
use rustix::process::{Resource, getrlimit};
use std::fmt::Display;
use std::net::ToSocketAddrs;

pub(super) fn serve(args: &ServerArgs) -> Outcome {
    process::fix_allocator();
    stderr::write_in_background()?;
    (args.pool().1)(args)
}

/// Asks for the address and the threads, which the system may refuse, before it opens the store: a
/// server that never serves leaves no new store behind.
fn with_pool<P: ThreadPool>(args: &ServerArgs) -> Outcome {
    let dir = args.dir();
    let owned = match args.engine {
        Some(None) => None,
        asked => Some(EngineKind::choose(asked.flatten(), dir)?),
    };
    if owned.is_some() != args.nodes.is_empty() {
        return Err(err_msg("`--engine redis-cluster` and `--nodes HOST:PORT,...` go together"));
    }
    if owned != Some(EngineKind::Kvs) && args.spare_garbage.is_some() {
        return Err(err_msg(
            "`--spare-garbage` is for the engine kvs: no other lets writes wait for a compactor",
        ));
    }
    let level = owned.map(|engine| durability(engine, args.durability)).transpose()?;
    let socket = bind(args)?;
    let pool = P::new(args.threads())?;
    let limits = limited_by_open_files(args.limits());
    let Some((engine, level)) = owned.zip(level) else {
        return in_front_of_cluster(args, socket, pool, &limits);
    };
    let said = said(args, engine, format_args!("{level}: {}", level.promise()));
    match engine {
        EngineKind::Kvs => {
            let mut options = KvStoreOptions::new().durability(level).map_sealed(true);
            if let Some(segments) = args.spare_garbage {
                options = options.spare_garbage(segments as u32);
            }
            let store = options.open(dir)?;
            store.leak_index();
            run(KvsServer::listen(socket, store, pool, limits.clone())?, &said, &limits)
        }
        EngineKind::Sled => {
            let store = SledKvsEngine::open(dir)?;
            run(KvsServer::listen(socket, store, pool, limits.clone())?, &said, &limits)
        }
    }
}

#[cfg(feature = "cluster")]
fn in_front_of_cluster<P: ThreadPool>(
    args: &ServerArgs,
    socket: Socket,
    pool: P,
    limits: &Limits,
) -> Outcome {
    use crate::{RedisClusterEngine, RedisClusterOptions};
    let options = RedisClusterOptions { durability: args.durability, ..Default::default() };
    let engine = RedisClusterEngine::open(&args.nodes, options)?;
    let said = said(args, "redis-cluster", engine.promise());
    run(KvsServer::listen(socket, engine, pool, limits.clone())?, &said, limits)
}

#[cfg(not(feature = "cluster"))]
fn in_front_of_cluster<P>(_: &ServerArgs, _: Socket, _: P, _: &Limits) -> Outcome {
    Err(err_msg(
        "this `kvs` was built without the engine `redis-cluster`: `cargo build -p final --features cluster`",
    ))
}

fn said(args: &ServerArgs, engine: impl Display, durability: impl Display) -> String {
    let ((pool, _), threads) = (args.pool(), args.threads());
    format!("engine: {engine}; durability: {durability}; pool: {pool}, {threads} threads")
}

fn run<E: KvsEngine, P: ThreadPool>(
    server: KvsServer<E, P>,
    said: &str,
    limits: &Limits,
) -> Outcome {
    let handle = server.handle();
    signals::on_terminate(move || handle.shutdown())?;
    let (version, addr) = (env!("CARGO_PKG_VERSION"), server.local_addr()?);
    log::info!("kvs-server {version}; {said}; {limits}; listening on {addr}");
    server.run()?;
    log::info!("stopped");
    Ok(())
}

fn durability(engine: EngineKind, asked: Option<Durability>) -> Outcome<Durability> {
    match (engine, asked) {
        (EngineKind::Kvs, level) => Ok(level.unwrap_or_default()),
        (EngineKind::Sled, None | Some(Durability::Os)) => Ok(Durability::Os),
        (EngineKind::Sled, Some(level)) => Err(err_msg(format!(
            "sled does not sync what it writes, so its durability is `os` and not `{level}`"
        ))),
    }
}

/// Takes the first address that the name stands for and that can be had.
fn bind(args: &ServerArgs) -> Outcome<Socket> {
    let addr = args.addr();
    let addrs = addr.to_socket_addrs().map_err(|error| err_msg(format!("{addr}: {error}")))?;
    let mut refused = err_msg(format!("{addr} stands for no address"));
    for addr in addrs {
        match Socket::bind(addr) {
            Ok(socket) => return Ok(socket),
            Err(error) => refused = Error::from(error),
        }
    }
    Err(refused)
}

/// Leaves a quarter of the descriptors to the engine: clients must not keep it from its files.
fn limited_by_open_files(mut limits: Limits) -> Limits {
    let open_files = getrlimit(Resource::Nofile).current;
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

/// A thread pool that can run a server: its name, and what runs it.
pub(super) type Pool = (&'static str, fn(&ServerArgs) -> Outcome);

/// The first one is the default.
pub(super) const POOLS: [Pool; 3] = [
    ("queue", with_pool::<SharedQueueThreadPool>),
    ("naive", with_pool::<NaiveThreadPool>),
    ("rayon", with_pool::<RayonThreadPool>),
];
