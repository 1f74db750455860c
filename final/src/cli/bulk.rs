//! `kvs client` from a pipe: a request a line, many under way at once.

use super::command::{self, Command, HELP};
use super::outcome::{Outcome, ResultExt, err_msg, print_message};
use super::output::Output;
use crate::{KvsClient, Pending, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};

/// How many requests are under way at most. More would make it no faster: their answers come with
/// one read.
const UNDER_WAY: usize = 1000;
/// How much input is read at once, in bytes. Before the next piece every answer is waited for.
const INPUT: usize = 1 << 20;

/// Does what the lines say, in their order, and prints what they print in that order too. A line that
/// fails is reported on stderr and passed over.
///
/// # Errors
/// If a line failed, at the end; if the connection is lost, at once.
pub(super) fn run(
    client: KvsClient,
    output: Output,
    input: impl Read,
    stdout: impl Write,
) -> Outcome {
    let mut input = BufReader::with_capacity(INPUT, input);
    let mut bulk = Bulk {
        client,
        output,
        stdout: BufWriter::new(stdout),
        under_way: VecDeque::new(),
        lines: 0,
        failed: 0,
    };
    let mut line = Vec::new();
    loop {
        // Whoever writes the other end of the pipe may wait for the answers.
        if !input.buffer().contains(&b'\n') {
            bulk.settle(0)?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 || !bulk.line(&line)? {
            break;
        }
    }
    bulk.settle(0)?;
    match bulk.failed {
        0 => Ok(()),
        failed => Err(err_msg(format!("{failed} of {} lines failed", bulk.lines))),
    }
}

struct Bulk<W: Write> {
    client: KvsClient,
    output: Output,
    stdout: BufWriter<W>,
    /// Requests whose answers were not waited for yet, oldest first, with the numbers of their
    /// lines.
    under_way: VecDeque<(u64, Request)>,
    lines: u64,
    failed: u64,
}

enum Request {
    Read(Pending<Option<String>>),
    Write(Pending<()>),
}

impl<W: Write> Bulk<W> {
    /// Sends what a line says. Returns whether the next line is wanted.
    fn line(&mut self, line: &[u8]) -> Outcome<bool> {
        self.lines += 1;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = str::from_utf8(line).map_err(|error| error.to_string());
        let request = match text.and_then(command::parse) {
            Ok(None) => return Ok(true),
            Ok(Some(Command::Quit)) => return Ok(false),
            Ok(Some(Command::Get { key })) => self.client.submit_get(key).map(Request::Read),
            Ok(Some(Command::Set { key, value })) => {
                self.client.submit_set(key, value).map(Request::Write)
            }
            Ok(Some(Command::Rm { key })) => self.client.submit_remove(key).map(Request::Write),
            Ok(Some(Command::Help)) => {
                self.settle(0)?;
                self.stdout.write_all(self.output.text(HELP.to_owned()).as_bytes())?;
                return Ok(true);
            }
            Ok(Some(Command::Stats)) => {
                self.settle(0)?;
                let stats = self.client.stats().map(|text| self.output.text(text));
                self.answer(self.lines, stats)?;
                return Ok(true);
            }
            Err(message) => {
                self.settle(0)?;
                self.fail(self.lines, &message);
                return Ok(true);
            }
        };
        let number = self.lines;
        match request {
            Ok(request) => self.under_way.push_back((number, request)),
            Err(error) => {
                // What was acknowledged before the connection was lost is still told.
                self.settle(0)?;
                self.answer(number, Err(error))?;
            }
        }
        self.settle(UNDER_WAY)?;
        Ok(true)
    }

    /// Waits until at most `most` requests are under way; then for none, what there is to print is
    /// printed.
    fn settle(&mut self, most: usize) -> Outcome {
        while self.under_way.len() > most
            && let Some((number, request)) = self.under_way.pop_front()
        {
            let text = match request {
                Request::Read(pending) => pending.wait().map(|value| self.output.value(value)),
                Request::Write(pending) => pending.wait().map(|()| self.output.done()),
            };
            self.answer(number, text)?;
        }
        if most == 0 { Ok(self.stdout.flush()?) } else { Ok(()) }
    }

    /// Prints what came of a line.
    fn answer(&mut self, number: u64, answer: Result<String>) -> Outcome {
        match answer {
            Ok(text) => self.stdout.write_all(text.as_bytes())?,
            Err(error) if error.is_answer() => {
                self.stdout.write_all(self.output.failed(&error).as_bytes())?;
                self.fail(number, &error.to_string());
            }
            // The connection is lost.
            lost => {
                self.stdout.flush()?;
                lost.with_context(|_| {
                    format!("line {number}, and nobody knows what was done from there on")
                })?;
            }
        }
        Ok(())
    }

    fn fail(&mut self, number: u64, message: &str) {
        self.failed += 1;
        print_message(&format!("line {number}: {message}"));
    }
}
