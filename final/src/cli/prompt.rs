//! `kvs client` on a terminal.

use super::client::Remote;
use super::command::{self, Command, HELP};
use super::outcome::{Outcome, ResultExt, print_error, print_message};
use super::output::{Output, is_unprintable};
use super::terminal::discard_input;
use crate::{KvsClient, KvsError};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{ColorMode, CompletionType, Config, Context, Editor, Helper};
use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::{env, fs};

/// Asks for lines and does what they say, until the end of the input or `quit`. Errors do not end
/// it; a connection that is lost is made anew for the next line.
pub(super) fn prompt(remote: Remote, output: Output) -> Outcome {
    let mut session = Session { client: Some(remote.connect()?), remote, output };
    // Without colours rustyline would show lines as they are, and not as `Line` has them.
    let config = Config::builder().color_mode(ColorMode::Forced);
    let mut editor = Editor::with_config(config.completion_type(CompletionType::List).build())?;
    editor.set_helper(Some(Line));
    let mut history = history();
    if let Some(file) = &history
        && let Err(error) = editor.load_history(file)
    {
        log::debug!("no history from {}: {error}", file.display());
    }
    writeln!(io::stdout(), "`help` lists the commands")?;
    loop {
        let text = match editor.readline(&format!("{}> ", session.remote.addr)) {
            Ok(text) => text,
            // ctrl-C drops the line, and as usual what was typed ahead.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            // rustyline forgets what it has read behind such a byte, so what comes next could begin in
            // the middle of a line.
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                discard_input();
                print_message("not UTF-8: this line is dropped, with all that was typed behind it");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // What is pasted is one text.
        for line in text.lines() {
            editor.add_history_entry(line)?;
            // After each line, since ctrl-C while an answer is waited for ends the program.
            if let Some(file) = &history
                && let Err(error) = editor.append_history(file)
            {
                log::warn!("{}: the history is not kept: {error}", file.display());
                history = None;
            }
            match command::parse(line) {
                Ok(None) => {}
                Ok(Some(Command::Quit)) => return Ok(()),
                Ok(Some(Command::Help)) => io::stdout().write_all(HELP.as_bytes())?,
                Ok(Some(command)) => match session.execute(command) {
                    Ok(text) => io::stdout().write_all(text.as_bytes())?,
                    Err(error) => print_error(&error),
                },
                Err(message) => print_message(&message),
            }
        }
    }
}

struct Session {
    remote: Remote,
    output: Output,
    /// None after the connection was lost.
    client: Option<KvsClient>,
}

impl Session {
    /// Does what a command says, and returns what is to be printed. What a lost connection leaves
    /// undone, or changes nothing, is asked once more.
    fn execute(&mut self, command: Command) -> Outcome<String> {
        self.client.take_if(|client| client.has_hung_up());
        loop {
            let (fresh, client) = match &mut self.client {
                Some(client) => (false, client),
                lost => (true, lost.insert(self.remote.connect()?)),
            };
            let lost = match command.clone().execute(client, self.output) {
                Err(error) if !error.is_answer() => error,
                answer => return Ok(answer?),
            };
            self.client = None;
            match command {
                Command::Write(_) => {
                    return Ok(Err(lost).context("nobody knows whether it was done")?);
                }
                _ if !fresh && matches!(lost, KvsError::Io(_) | KvsError::Closed) => {}
                _ => return Err(lost.into()),
            }
        }
    }
}

/// What rustyline asks about a line that is being typed.
struct Line;

impl Completer for Line {
    type Candidate = String;

    /// Completes the name of a command. Behind it a tab is a tab: it may be pasted.
    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let word = &line[..pos];
        if word.contains(char::is_whitespace) {
            return Ok((pos, vec!["\t".to_owned()]));
        }
        let names = command::names().filter(|name| name.starts_with(word));
        Ok((0, names.map(|name| format!("{name} ")).collect()))
    }
}

impl Highlighter for Line {
    /// What is pasted or comes from the history gives the terminal no commands either.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        line.replace(|c| is_unprintable(c) && !"\n\t".contains(c), "\u{fffd}").into()
    }
}

impl Hinter for Line {
    type Hint = String;
}

impl Validator for Line {}
impl Helper for Line {}

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
