use super::{RemoteArgs, help};
use crate::Write;
use crate::cli::client::Remote;
use crate::cli::command::{self, Command};
use crate::cli::output::Output;
use structopt::StructOpt;

/// The command line of the client that can do without a command.
#[derive(Debug, StructOpt)]
#[structopt(after_help = help("kvs client"))]
pub(in crate::cli) struct ClientArgs {
    #[structopt(flatten)]
    pub(in crate::cli) options: ClientOptions,
    /// Without a command: a prompt on a terminal, else one request a line
    #[structopt(subcommand)]
    pub(in crate::cli) request: Option<Request>,
}

/// The command line of the client that is asked for one thing.
#[derive(Debug, StructOpt)]
#[structopt(name = "kvs-client", about = "Talks to a key/value server")]
pub(in crate::cli) struct RequestArgs {
    #[structopt(flatten)]
    pub(in crate::cli) options: ClientOptions,
    #[structopt(subcommand)]
    pub(in crate::cli) request: Request,
}

// They may be before a request's name and behind it.
#[derive(Debug, StructOpt)]
pub(in crate::cli) struct ClientOptions {
    #[structopt(flatten)]
    remote: RemoteArgs,
    /// Prints each answer as a line of JSON: {"Ok":"VALUE"}, {"Ok":null}, {"Err":"MESSAGE"}
    #[structopt(long, global = true)]
    json: bool,
}

impl ClientOptions {
    /// Which server, and how its answers are printed.
    pub(in crate::cli) fn split(&self) -> (Remote, Output) {
        (self.remote.remote(), Output::of_stdout(self.json))
    }
}

#[derive(Debug, StructOpt)]
pub(in crate::cli) enum Request {
    /// Prints the value of a key
    #[structopt(after_help = help("kvs client get"))]
    Get {
        /// The key
        key: String,
    },
    /// Gives a key a value
    #[structopt(after_help = help("kvs client set"))]
    Set {
        /// The key
        key: String,
        /// The value; put `--` before one that starts with a dash
        value: String,
    },
    /// Removes a key and its value
    #[structopt(after_help = help("kvs client rm"))]
    Rm {
        /// The key
        key: String,
    },
    /// Gives a key a value if it has the one that is expected
    #[structopt(after_help = help("kvs client cas"))]
    Cas {
        /// The key
        key: String,
        /// The value that is expected, or null
        #[structopt(parse(from_str = value_or_null))]
        old: OrNull,
        /// The value from then on, or null
        #[structopt(parse(from_str = value_or_null))]
        new: OrNull,
    },
    /// Sets and removes several keys: all of it is done or nothing, also if the server is killed
    #[structopt(after_help = help("kvs client batch"))]
    Batch {
        /// An array of pairs in JSON: key and value, or null to remove the key
        #[structopt(parse(try_from_str = command::batch))]
        writes: Write,
    },
    /// Prints how many keys there are
    #[structopt(after_help = help("kvs client len"))]
    Len,
    /// Prints all keys in no order, a line each; one that is written meanwhile perhaps twice
    #[structopt(after_help = help("kvs client keys"))]
    Keys,
}

/// So that `structopt` does not take it for an argument that may be missing.
type OrNull = Option<String>;

fn value_or_null(text: &str) -> OrNull {
    Some(text.to_owned()).filter(|text| text != "null")
}

impl Request {
    pub(in crate::cli) fn command(self) -> Command {
        Command::Write(match self {
            Request::Get { key } => return Command::Get { key },
            Request::Len => return Command::Len,
            Request::Keys => return Command::Keys,
            Request::Set { key, value } => Write::Set { key, value },
            Request::Rm { key } => Write::Remove { key },
            Request::Cas { key, old: expected, new } => Write::CompareAndSet { key, expected, new },
            Request::Batch { writes } => writes,
        })
    }
}
