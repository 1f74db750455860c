//! What the command lines take. The only folder here that knows `structopt`.

mod client;
mod limits;
mod server;

pub(crate) use client::ClientOptions;
pub(crate) use server::{PoolKind, ServerOptions};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use structopt::StructOpt;
use structopt::clap::AppSettings;

// The defaults stand here and not in the attributes: with a `default_value`, `--addr` without an
// address would be taken for the default instead of being refused.

/// Where the server listens and the client connects when nobody says.
pub(crate) const DEFAULT_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);

/// The command line of the program that is both.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs",
    about = "A key/value server, its client, and a check of its data",
    settings = &[AppSettings::SubcommandRequiredElseHelp, AppSettings::VersionlessSubcommands]
)]
pub(crate) enum KvsOptions {
    /// Runs the server
    Server(ServerOptions),
    /// Talks to a server
    Client(ClientOptions),
    /// Reads every record of a store that is not in use, and changes nothing
    Check {
        /// The data directory
        #[structopt(parse(from_os_str))]
        dir: PathBuf,
    },
}

/// The options that the program was started with. Prints help, version or a complaint and ends the
/// process where that is the answer.
pub(crate) fn parse<T: StructOpt>() -> T {
    T::from_args()
}
