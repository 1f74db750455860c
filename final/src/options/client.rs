use super::DEFAULT_ADDR;
use std::net::SocketAddr;
use structopt::StructOpt;
use structopt::clap::AppSettings;

/// The command line of the client that can do without a command.
#[derive(Debug, StructOpt)]
#[structopt(
    settings = &[AppSettings::VersionlessSubcommands],
    after_help = "\
EXAMPLES:
    kvs client set animal crab      one request
    kvs client                      a prompt; `help` there tells the rest
    kvs client < FILE               a request a line, as at the prompt, but many under way at once"
)]
pub(crate) struct SessionOptions {
    /// The server's address, by default 127.0.0.1:4000
    #[structopt(long, value_name = "IP:PORT")]
    addr: Option<SocketAddr>,
    /// Without a command: a prompt on a terminal, else one request a line
    #[structopt(subcommand)]
    pub(crate) command: Option<ClientOptions>,
}

impl SessionOptions {
    /// Where the server is, unless the command says otherwise.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or(DEFAULT_ADDR)
    }
}

/// The command line of the client.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs-client",
    about = "Talks to a key/value server",
    settings = &[AppSettings::VersionlessSubcommands]
)]
pub(crate) enum ClientOptions {
    /// Prints the value of a key
    #[structopt(after_help = "EXAMPLE:\n    kvs client get animal")]
    Get {
        /// The key
        key: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
    /// Gives a key a value
    #[structopt(after_help = "\
EXAMPLES:
    kvs client set animal crab
    kvs client set degrees -- -5")]
    Set {
        /// The key
        key: String,
        /// The value; put `--` before one that starts with a dash
        value: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
    /// Removes a key and its value
    #[structopt(after_help = "EXAMPLE:\n    kvs client rm animal")]
    Rm {
        /// The key
        key: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
}

/// The command line of the question what the server counts.
#[derive(Debug, StructOpt)]
#[structopt(after_help = "EXAMPLE:\n    kvs stats --addr 127.0.0.1:4000")]
pub(crate) struct StatsOptions {
    /// The server's address, by default 127.0.0.1:4000
    #[structopt(long, value_name = "IP:PORT")]
    addr: Option<SocketAddr>,
}

impl StatsOptions {
    /// Where the server is.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or(DEFAULT_ADDR)
    }
}
