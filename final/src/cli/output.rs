//! How what a server answers is printed.

use crate::protocol::Response;
use crate::{KvsError, Page};
use serde::Serialize;
use std::io::{self, IsTerminal};

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A program that wants values as they are.
    Plain,
    /// Somebody at a terminal, which a value must not give commands to.
    Terminal,
    /// A program that wants to tell all answers apart: each is a line, as the protocol has it.
    Json,
}

impl Output {
    /// What stdout is, unless JSON is asked for.
    pub(super) fn of_stdout(json: bool) -> Output {
        match json {
            true => Output::Json,
            false if io::stdout().is_terminal() => Output::Terminal,
            false => Output::Plain,
        }
    }

    /// What `get` prints. On a terminal a value is a JSON string if it could be taken for something
    /// else, so that it can be typed as it is shown.
    pub(super) fn value(self, value: Option<String>) -> String {
        let not_found = KvsError::KeyNotFound.to_string();
        match (self, value) {
            (Output::Json, value) => json(&Response::Ok(value)),
            (_, None) => not_found + "\n",
            (Output::Terminal, Some(value))
                if value.contains(is_unprintable)
                    || value.starts_with('"')
                    || value == not_found =>
            {
                json(&value)
            }
            (_, Some(value)) => value + "\n",
        }
    }

    /// What `len` prints.
    pub(super) fn count(self, count: u64) -> String {
        if self == Output::Json { json(&Response::Len(count)) } else { format!("{count}\n") }
    }

    /// What `keys` prints of a page.
    pub(super) fn keys(self, page: Page) -> String {
        match self {
            Output::Json => json(&Response::Keys(page)),
            _ => page.keys.into_iter().map(|key| self.value(Some(key))).collect(),
        }
    }

    /// What a write prints that was done.
    pub(super) fn done(self) -> String {
        if self == Output::Json { self.value(None) } else { String::new() }
    }

    /// What stdout gets of what failed; stderr has it anyway.
    pub(super) fn failed(self, message: &str) -> String {
        match self {
            Output::Json => json(&Response::Err(message.to_owned())),
            _ => String::new(),
        }
    }

    /// A text of several lines.
    pub(super) fn text(self, text: String) -> String {
        match self {
            Output::Plain => text,
            Output::Terminal => printable(&text),
            Output::Json => self.value(Some(text)),
        }
    }
}

/// Whether a terminal could obey a character, end the line there, or show others in an order in which
/// they are not: control characters (C0, DEL, C1), the separators of lines and paragraphs, and the marks
/// of bidirectional text.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || "\u{61c}\u{200e}\u{200f}".contains(c)
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A message for a terminal or a log: control characters are escaped, but for newlines.
pub(super) fn printable(text: &str) -> String {
    let escape = |c: char| match is_unprintable(c) && c != '\n' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A line of JSON without any unprintable character.
pub(super) fn json(what: &impl Serialize) -> String {
    // Strings have nothing to refuse.
    let mut text = serde_json::to_string(what).unwrap_or_default();
    // JSON itself wants only those up to U+001F escaped.
    if text.contains(is_unprintable) {
        let escape = |c: char| match is_unprintable(c) {
            true => format!("\\u{:04x}", u32::from(c)),
            false => c.to_string(),
        };
        text = text.chars().map(escape).collect();
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_gives_a_terminal_no_command_and_looks_like_nothing_else() {
        for (value, shown) in [
            ("two words", "two words"),
            ("\x1b[2J", r#""\u001b[2J""#),
            ("\u{9b}2J\x7f", r#""\u009b2J\u007f""#),
            ("abc\u{202e}", r#""abc\u202e""#),
            ("\u{2028}\u{2066}\u{61c}\u{200f}", r#""\u2028\u2066\u061c\u200f""#),
            ("two\nlines", r#""two\nlines""#),
            ("\"quoted\"", r#""\"quoted\"""#),
            ("Key not found", r#""Key not found""#),
        ] {
            let shown = format!("{shown}\n");
            assert_eq!(Output::Terminal.value(Some(value.into())), shown);
            let json = format!("{{\"Ok\":{}}}\n", json(&value).trim_end());
            assert_eq!(Output::Json.value(Some(value.into())), json);
            assert_eq!(Output::Plain.value(Some(value.into())), format!("{value}\n"));
            assert_eq!(serde_json::from_str::<String>(&super::json(&value)).unwrap(), value);
        }
        assert_eq!(Output::Terminal.value(None), "Key not found\n");
        assert_eq!(Output::Terminal.text("a \x1b\nb 1\n".into()), "a \\u{1b}\nb 1\n");
    }
}
