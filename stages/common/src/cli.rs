//! What the programs have in common. The only file here that knows `failure`: the outermost
//! function of a program collects every error, with the context in which it happened.

use crate::options::{self, ClientOptions, DEFAULT_ADDR};
use crate::{EngineKind, KvsClient, KvsError};
use failure::{Error, ResultExt};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

/// The result of a program, for its `main`.
pub type Outcome = std::result::Result<(), Error>;

/// Runs a program with its log on stderr; an error goes there too, as a message, with exit code 1.
pub fn run(program: impl FnOnce() -> Outcome) -> ExitCode {
    let level = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(level).format_target(false).init();
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes: Vec<String> = error.iter_chain().map(|cause| cause.to_string()).collect();
            eprintln!("{}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}

/// Logs what a server is, once it listens.
pub fn announce(engine: EngineKind, addr: SocketAddr) {
    log::info!("kvs-server {}", env!("CARGO_PKG_VERSION"));
    log::info!("engine: {engine}");
    log::info!("listening on {addr}");
}

/// The client program.
pub fn client() -> ExitCode {
    run(|| match options::parse() {
        ClientOptions::Get { key, addr } => {
            let value = connect(addr)?.get(key)?;
            let shown = value.unwrap_or_else(|| KvsError::KeyNotFound.to_string());
            Ok(writeln!(io::stdout(), "{shown}")?)
        }
        ClientOptions::Set { key, value, addr } => Ok(connect(addr)?.set(key, value)?),
        ClientOptions::Rm { key, addr } => Ok(connect(addr)?.remove(key)?),
    })
}

fn connect(addr: Option<SocketAddr>) -> std::result::Result<KvsClient, Error> {
    let addr = addr.unwrap_or(DEFAULT_ADDR);
    Ok(KvsClient::connect(addr).with_context(|_| format!("cannot connect to {addr}"))?)
}
