//! The programs. The only folder that knows `failure`: the outermost function of a program collects
//! every error, with the context in which it happened.

mod check;
mod client;
mod server;

use crate::options::{self, KvsOptions};
use check::check;
use client::ask;
use failure::Error;
use server::serve;
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
