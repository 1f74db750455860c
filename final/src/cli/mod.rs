//! The programs. The only folder that knows `failure`: the outermost function of a program collects
//! every error, with the context in which it happened.

mod bench;
mod bulk;
mod check;
mod client;
mod line;
mod prompt;
mod server;

use crate::options::{self, DEFAULT_ADDR, KvsOptions};
use bench::bench;
use check::check;
use client::{ask, session, stats};
use failure::Error;
use server::serve;
use std::process::ExitCode;

type Outcome = std::result::Result<(), Error>;

/// The program `kvs`: server, client, and what one wants to know about them.
pub fn kvs() -> ExitCode {
    run(|| match options::parse() {
        KvsOptions::Server(options) => serve(&options),
        KvsOptions::Client(options) => session(options),
        KvsOptions::Stats(options) => stats(options.addr()),
        KvsOptions::Bench(options) => bench(&options),
        KvsOptions::Check { dir } => check(&dir),
    })
}

/// The program `kvs-server`.
pub fn server() -> ExitCode {
    run(|| serve(&options::parse()))
}

/// The program `kvs-client`.
pub fn client() -> ExitCode {
    run(|| ask(options::parse(), DEFAULT_ADDR))
}

/// Runs a program with its log on stderr; an error goes there too, in words, with exit code 1.
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

/// An error with its causes, on stderr.
fn print_error(error: &Error) {
    let words: Vec<String> = error.iter_chain().map(|cause| cause.to_string()).collect();
    eprintln!("{}", words.join(": "));
}
