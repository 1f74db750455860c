use std::net::SocketAddr;
use structopt::StructOpt;
use structopt::clap::AppSettings;

/// The command line of the client.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs-client",
    about = "Talks to a key/value server",
    settings = &[AppSettings::SubcommandRequiredElseHelp, AppSettings::VersionlessSubcommands]
)]
pub(crate) enum ClientOptions {
    /// Prints the value of a key
    Get {
        /// The key
        key: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
    /// Gives a key a value
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
    Rm {
        /// The key
        key: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
}
