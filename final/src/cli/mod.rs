//! The programs.
//!
//! | file | what |
//! |---|---|
//! | `args.rs`, `numbers.rs` | the command lines |
//! | `server.rs`, `client.rs`, `check.rs`, `bench/` | the commands |
//! | `signals.rs` | what ends a server |
//! | `prompt.rs`, `bulk.rs` | `kvs client` on a terminal, and from a pipe |
//! | `command.rs` | what a line at the prompt or in a pipe means |
//! | `outcome.rs` | how a command ends |

mod args;
mod bench;
mod bulk;
mod check;
mod client;
mod command;
mod numbers;
mod outcome;
mod prompt;
mod server;
mod signals;

use args::{ClientArgs, KvsArgs};
use outcome::{Outcome, print_error};
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// The program `kvs`: server, client, and what one wants to know about them.
pub fn kvs() -> ExitCode {
    run(|| match args::parse() {
        KvsArgs::Server(args) => server::serve(&args),
        KvsArgs::Client(args) => talk(args),
        KvsArgs::Stats(args) => client::stats(args.addr()),
        KvsArgs::Bench(args) => bench::bench(&args),
        KvsArgs::Check { dir } => check::check(&dir),
    })
}

/// The program `kvs-server`.
pub fn server() -> ExitCode {
    run(|| server::serve(&args::parse()))
}

/// The program `kvs-client`.
pub fn client() -> ExitCode {
    run(|| {
        let (addr, command) = args::parse::<args::RequestArgs>().split();
        client::request(addr.addr(), command)
    })
}

/// One request, a prompt, or a file of requests.
fn talk(args: ClientArgs) -> Outcome {
    match args.split() {
        (addr, Some(command)) => client::request(addr, command),
        (addr, None) if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            prompt::prompt(addr)
        }
        (addr, None) => bulk::run(client::connect(addr)?, io::stdin().lock(), io::stdout().lock()),
    }
}

/// Runs a program with its log on stderr; an error goes there too, and makes the exit code 1.
fn run(program: impl FnOnce() -> Outcome) -> ExitCode {
    let level = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(level).format_target(false).init();
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}
