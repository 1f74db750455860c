//! `kvs client` from a pipe: a request a line, many under way at once.

use super::command::{self, Answer, Command};
use super::outcome::{Outcome, ResultExt, err_msg};
use super::output::Output;
use super::printer::Printer;
use crate::protocol::MAX_LINE;
use crate::{KvsClient, Result};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

/// How many requests are under way at most. More would make it no faster: their answers come with
/// one read.
const UNDER_WAY: usize = 1000;
/// And how many bytes of answers may come of them, if none is longer than those before.
const UNDER_WAY_BYTES: usize = 64 << 20;
/// With so many bytes to print, no more is asked for until they are printed. So that and the answers
/// under way are all that is in memory of them, however slowly somebody reads.
const AHEAD: usize = 1 << 20;
/// How much input is read at once, in bytes. Before the next piece every answer is waited for.
const INPUT: usize = 1 << 20;

/// Does what the lines say, in their order, and prints what they print in that order too. A line that
/// fails is reported on stderr and passed over.
///
/// # Errors
/// If a line failed, at the end; if the connection is lost, at once.
pub(super) fn run(client: KvsClient, output: Output, input: impl Read) -> Outcome {
    let mut bulk = Bulk {
        client,
        output,
        printer: Printer::start()?,
        under_way: VecDeque::new(),
        longest_answer: 1,
        longest_line: MAX_LINE,
        lines: 0,
        failed: 0,
    };
    let done = bulk.all(BufReader::with_capacity(INPUT, input));
    // Why nothing can be printed says more than that nothing can.
    bulk.printer.finish()?;
    done?;
    match bulk.failed {
        0 => Ok(()),
        failed => Err(err_msg(format!("{failed} of {} lines failed", bulk.lines))),
    }
}

struct Bulk {
    client: KvsClient,
    output: Output,
    printer: Printer,
    /// Requests whose answers were not waited for yet, oldest first, with the numbers of their
    /// lines.
    under_way: VecDeque<(u64, Answer)>,
    /// In bytes, of those so far.
    longest_answer: usize,
    /// In bytes; what a server takes by default, or what this one has said.
    longest_line: usize,
    lines: u64,
    failed: u64,
}

impl Bulk {
    fn all(&mut self, mut input: BufReader<impl Read>) -> Outcome {
        let mut line = Vec::new();
        loop {
            // Whoever writes the other end of the pipe may wait for the answers.
            if !input.buffer().contains(&b'\n') {
                self.settle(0)?;
            }
            if self.printer.behind() > AHEAD {
                self.settle(0)?;
                self.printer.catch_up()?;
            }
            line.clear();
            line.shrink_to(INPUT);
            let mut is_whole = read_line(&mut input, &mut line, self.longest_line)?;
            self.lines += u64::from(!line.is_empty());
            if !is_whole {
                self.ask_for_limit()?;
                is_whole = read_line(&mut input, &mut line, self.longest_line)?;
            }
            if !is_whole {
                let limit = self.longest_line;
                self.fail(self.lines, &format!("longer than {limit} bytes, the server's limit"))?;
                input.skip_until(b'\n')?;
            } else if line.is_empty() || !self.line(&line)? {
                return self.settle(0);
            }
        }
    }

    /// A line that is longer than by default may be allowed by this server.
    fn ask_for_limit(&mut self) -> Outcome {
        self.settle(0)?;
        let stats = match self.client.stats() {
            // It may be one that has no stats.
            Err(error) if error.is_answer() => return Ok(()),
            stats => stats?,
        };
        let limit = stats.lines().find_map(|line| line.strip_prefix("max_request_bytes "));
        if let Some(limit) = limit.and_then(|limit| limit.parse().ok()) {
            self.longest_line = limit;
        }
        Ok(())
    }

    /// Sends what a line says. Returns whether the next line is wanted.
    fn line(&mut self, line: &[u8]) -> Outcome<bool> {
        // A file may be from a system whose lines end with two characters.
        let line = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
        let text = str::from_utf8(line).map_err(|error| error.to_string());
        let number = self.lines;
        let command = match text.and_then(command::parse) {
            Ok(None) => return Ok(true),
            Ok(Some(Command::Quit)) => return Ok(false),
            Err(message) => {
                self.settle(0)?;
                self.fail(number, &message)?;
                return Ok(true);
            }
            Ok(Some(command)) => command,
        };
        match command.submit(&mut self.client, self.output) {
            Ok(answer) => self.under_way.push_back((number, answer)),
            Err(error) => {
                // What was acknowledged before the connection was lost is still told.
                self.settle(0)?;
                self.answer(number, Err(error))?;
            }
        }
        self.settle((UNDER_WAY_BYTES / self.longest_answer).clamp(1, UNDER_WAY))?;
        Ok(true)
    }

    /// Waits until at most `most` requests are under way.
    fn settle(&mut self, most: usize) -> Outcome {
        while self.under_way.len() > most
            && let Some((number, answer)) = self.under_way.pop_front()
        {
            self.answer(number, answer())?;
        }
        Ok(())
    }

    /// Prints what came of a line.
    fn answer(&mut self, number: u64, answer: Result<String>) -> Outcome {
        match answer {
            Ok(text) => {
                self.longest_answer = self.longest_answer.max(text.len());
                self.printer.out(text)
            }
            Err(error) if error.is_answer() => self.fail(number, &error.to_string()),
            // The connection is lost.
            lost => Ok(lost.map(drop).with_context(|_| {
                format!("line {number}, and nobody knows what was done from there on")
            })?),
        }
    }

    fn fail(&mut self, number: u64, message: &str) -> Outcome {
        self.failed += 1;
        self.printer.out(self.output.failed(message))?;
        self.printer.message(format!("line {number}: {message}"))
    }
}

/// Reads a line to its end, unless it is longer than `limit`. Returns whether that is so.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>, limit: usize) -> io::Result<bool> {
    input.take(limit.saturating_sub(line.len()) as u64).read_until(b'\n', line)?;
    Ok(line.len() < limit || line.ends_with(b"\n"))
}
