//! The programs.
//!
//! | file | what |
//! |---|---|
//! | `args/`, `numbers.rs`, `address.rs` | the command lines, and what the help of each ends with (`help.txt`) |
//! | `server.rs`, `client.rs`, `check.rs`, `dump.rs`, `restore.rs`, `bench/` | the commands |
//! | `process.rs`, `signals.rs` | what a program asks of the system; what ends a server |
//! | `stderr.rs` | where log lines and errors go |
//! | `prompt.rs`, `terminal.rs`, `bulk.rs` | `kvs client` on a terminal, and from a pipe |
//! | `command.rs` | what a line at the prompt or in a pipe means |
//! | `output.rs`, `printer.rs` | how an answer is printed, and on which thread |
//! | `outcome.rs` | how a command ends |

mod address;
mod args;
mod bench;
mod bulk;
mod check;
mod client;
mod command;
mod dump;
mod numbers;
mod outcome;
mod output;
mod printer;
mod process;
mod prompt;
mod restore;
mod server;
mod signals;
mod stderr;
mod terminal;

use args::{ClientArgs, KvsArgs, RequestArgs};
use command::Command;
use outcome::{Outcome, print_error};
use output::Output;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// The program `kvs`: server, client, and what one wants to know about them.
pub fn kvs() -> ExitCode {
    run(|| match args::parse()? {
        KvsArgs::Server(args) => server::serve(&args),
        KvsArgs::Client(args) => talk(args),
        KvsArgs::Stats(args) => {
            client::request(&args.remote(), Output::of_stdout(false), Command::Stats)
        }
        KvsArgs::Bench(args) => bench::bench(&args),
        KvsArgs::Check { dir, salvage: true, to: Some(to) } => check::salvage(&dir, &to),
        KvsArgs::Check { dir, .. } => check::check(&dir),
        KvsArgs::Dump(args) => dump::dump(&args),
        KvsArgs::Restore(args) => restore::restore(&args),
    })
}

/// The program `kvs-server`.
pub fn server() -> ExitCode {
    run(|| server::serve(&args::parse()?))
}

/// The program `kvs-client`.
pub fn client() -> ExitCode {
    run(|| {
        let RequestArgs { options, request } = args::parse()?;
        let (remote, output) = options.split();
        client::request(&remote, output, request.command())
    })
}

/// One request, a prompt, or a file of requests.
fn talk(ClientArgs { options, request }: ClientArgs) -> Outcome {
    let (remote, output) = options.split();
    match request {
        Some(request) => client::request(&remote, output, request.command()),
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            terminal::unbuffered(|| prompt::prompt(remote, output))
        }
        None => bulk::run(remote.connect()?, output, io::stdin().lock()),
    }
}

/// Runs a program with its log on stderr; an error goes there too, and makes the exit code 1.
fn run(program: impl FnOnce() -> Outcome) -> ExitCode {
    let level = env_logger::Env::default().default_filter_or("info");
    let stderr = env_logger::Target::Pipe(Box::new(stderr::Log));
    env_logger::Builder::from_env(level).format_target(false).target(stderr).init();
    let outcome = process::prepare().and_then(|()| program());
    if let Err(error) = &outcome {
        print_error(error);
    }
    stderr::finish();
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
