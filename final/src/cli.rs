//! The programs. The only file that knows `failure`: the outermost function of a program collects
//! every error, with the context in which it happened.

use crate::disk::RealDisk;
use crate::options::{self, ClientOptions, DEFAULT_ADDR, KvsOptions, PoolKind, ServerOptions};
use crate::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use crate::{CheckReport, EngineKind, KvStoreOptions, KvsClient, KvsEngine, KvsError, KvsServer};
use crate::{SledKvsEngine, kv_store, signals};
use failure::{Error, ResultExt};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

type Outcome = std::result::Result<(), Error>;

/// The program `kvs`: server and client.
pub fn kvs() -> ExitCode {
    run(|| match options::parse() {
        KvsOptions::Server(options) => serve(&options),
        KvsOptions::Client(options) => ask(options),
        KvsOptions::Check { dir } => check(&dir),
    })
}

/// The program `kvs-server`.
pub fn server() -> ExitCode {
    run(|| serve(&options::parse()))
}

/// The program `kvs-client`.
pub fn client() -> ExitCode {
    run(|| ask(options::parse()))
}

/// Runs a program with its log on stderr; an error goes there too, in words, with exit code 1.
fn run(program: impl FnOnce() -> Outcome) -> ExitCode {
    let level = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(level).format_target(false).init();
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let words: Vec<String> = error.iter_chain().map(|cause| cause.to_string()).collect();
            eprintln!("{}", words.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &ServerOptions) -> Outcome {
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

fn check(dir: &Path) -> Outcome {
    let report = kv_store::check(&RealDisk, dir)?;
    let CheckReport { segments, records, bytes, keys, torn_bytes } = report;
    writeln!(io::stdout(), "{segments} segments, {records} records, {bytes} bytes, {keys} keys")?;
    if torn_bytes > 0 {
        writeln!(io::stdout(), "{torn_bytes} bytes of a torn tail; the next open cuts them")?;
    }
    Ok(())
}

fn ask(options: ClientOptions) -> Outcome {
    match options {
        ClientOptions::Get { key, addr } => {
            let value = connect(addr)?.get(key)?;
            let words = value.unwrap_or_else(|| KvsError::KeyNotFound.to_string());
            Ok(writeln!(io::stdout(), "{words}")?)
        }
        ClientOptions::Set { key, value, addr } => Ok(connect(addr)?.set(key, value)?),
        ClientOptions::Rm { key, addr } => Ok(connect(addr)?.remove(key)?),
    }
}

fn connect(addr: Option<SocketAddr>) -> std::result::Result<KvsClient, Error> {
    let addr = addr.unwrap_or(DEFAULT_ADDR);
    Ok(KvsClient::connect(addr).with_context(|_| format!("cannot connect to {addr}"))?)
}
