//! `kvs client` on a terminal.

use super::client::Remote;
use super::command::{self, Command};
use super::outcome::{Outcome, print_error, print_message};
use super::output::Output;
use crate::KvsClient;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::io::{self, Write};
use std::path::PathBuf;
use std::{env, fs};

/// Asks for lines and does what they say, until the end of the input or `quit`. Errors do not end
/// it; a connection that is lost is made anew for the next line.
pub(super) fn prompt(remote: Remote, output: Output) -> Outcome {
    let mut session = Session { client: Some(remote.connect()?), remote, output };
    let mut editor = DefaultEditor::new()?;
    let mut history = history();
    if let Some(file) = &history
        && let Err(error) = editor.load_history(file)
    {
        log::debug!("no history from {}: {error}", file.display());
    }
    writeln!(io::stdout(), "`help` lists the commands")?;
    loop {
        let line = match editor.readline(&format!("{}> ", session.remote.addr)) {
            Ok(line) => line,
            // ctrl-C: the line is dropped.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        editor.add_history_entry(&line)?;
        // After each line, since ctrl-C while an answer is waited for ends the program.
        if let Some(file) = &history
            && let Err(error) = editor.append_history(file)
        {
            log::warn!("{}: the history is not kept: {error}", file.display());
            history = None;
        }
        match command::parse(&line) {
            Ok(None) => {}
            Ok(Some(Command::Quit)) => break,
            Ok(Some(command)) => match session.execute(command) {
                Ok(text) => io::stdout().write_all(text.as_bytes())?,
                Err(error) => print_error(&error),
            },
            Err(message) => print_message(&message),
        }
    }
    Ok(())
}

struct Session {
    remote: Remote,
    output: Output,
    /// None after the connection was lost.
    client: Option<KvsClient>,
}

impl Session {
    /// Does what a command says, and returns what is to be printed.
    fn execute(&mut self, command: Command) -> Outcome<String> {
        let client = match &mut self.client {
            Some(client) => client,
            lost => lost.insert(self.remote.connect()?),
        };
        let answer = command.execute(client, self.output);
        if answer.as_ref().is_err_and(|error| !error.is_answer()) {
            self.client = None;
        }
        Ok(answer?)
    }
}

/// The file that keeps the history, where the XDG base directory specification has such files. The
/// lines hold values; rustyline lets nobody but the user read it.
fn history() -> Option<PathBuf> {
    let state = match env::var_os("XDG_STATE_HOME") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => env::home_dir()?.join(".local/state"),
    };
    let dir = state.join("kvs");
    // If it cannot be made, the history cannot be saved, and that is said then.
    let _ = fs::create_dir_all(&dir);
    Some(dir.join("history"))
}
