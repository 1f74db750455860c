//! The programs.

use crate::{KvStore, KvsServer};
pub use kvs_common::cli::client;
use kvs_common::options::{self, ServerOptions};
use kvs_common::{EngineKind, KvsError, cli};
use std::process::ExitCode;

/// The server program.
pub fn server() -> ExitCode {
    cli::run(|| {
        let options: ServerOptions = options::parse();
        let engine = EngineKind::choose(options.engine, options.dir())?;
        if engine != EngineKind::Kvs {
            return Err(KvsError::Engine(format!("there is no `{engine}` here").into()).into());
        }
        let server = KvsServer::bind(options.addr(), KvStore::open(options.dir())?)?;
        cli::announce(engine, server.local_addr()?);
        Ok(server.run()?)
    })
}
