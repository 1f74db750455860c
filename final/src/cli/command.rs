//! What a client can be told, at the prompt and in a pipe a line each.

use super::output::Output;
use crate::{KvsClient, Write};

/// What `help` says.
pub(super) const HELP: &str = r#"get KEY         prints the value of a key
set KEY VALUE   gives a key a value: the rest of the line, as it stands
rm KEY          removes a key and its value
cas KEY OLD NEW gives a key the value NEW if its value is OLD; null stands for no value
batch WRITES    sets and removes all of it or nothing: batch [["k","v"],["l",null]]
len             prints how many keys there are
keys            prints them, some perhaps twice
stats           prints what the server counts
help            prints this
quit            ends, as ctrl-D does
A key or a value that begins with a double quote is a JSON string: set "two words" "two\nlines"
"#;

/// What a line may begin with.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    HELP.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != "A")
}

/// How many keys are asked for at a time.
pub(super) const PAGE: usize = 10_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Get { key: String },
    Write(Write),
    Len,
    Keys,
    Stats,
    Help,
    Quit,
}

impl Command {
    /// Asks the server, and returns what is to be printed.
    pub(super) fn execute(self, client: &mut KvsClient, output: Output) -> crate::Result<String> {
        self.submit(client, output)?()
    }

    /// Asks the server. The answer comes after those to what it was asked before.
    pub(super) fn submit(self, client: &mut KvsClient, output: Output) -> crate::Result<Answer> {
        Ok(match self {
            Command::Get { key } => {
                let value = client.submit_get(key)?;
                Box::new(move || Ok(output.value(value.wait()?)))
            }
            Command::Write(write) => {
                let done = client.submit_write(write)?;
                Box::new(move || done.wait().map(|()| output.done()))
            }
            Command::Len => answer(output.count(client.len()?)),
            Command::Keys => {
                let (mut text, mut cursor) = (String::new(), None);
                loop {
                    let page = client.keys(cursor, PAGE)?;
                    cursor = page.cursor.clone();
                    text += &output.keys(page);
                    if cursor.is_none() {
                        break answer(text);
                    }
                }
            }
            Command::Stats => answer(output.text(client.stats()?)),
            Command::Help => answer(output.text(HELP.to_owned())),
            Command::Quit => answer(String::new()),
        })
    }
}

/// Waits for what a command prints.
pub(super) type Answer = Box<dyn FnOnce() -> crate::Result<String>>;

fn answer(text: String) -> Answer {
    Box::new(move || Ok(text))
}

/// What the line asks for; nothing if it is blank.
///
/// # Errors
/// A message for whoever typed the line, if it asks for nothing that there is.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim_start();
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let command = match verb {
        "" => return Ok(None),
        "get" => Command::Get { key: only_key(rest)? },
        "rm" => Command::Write(Write::Remove { key: only_key(rest)? }),
        "set" => {
            let (key, rest) = key(rest)?;
            Command::Write(Write::Set { key, value: value(rest)? })
        }
        "cas" => {
            let (key, rest) = key(rest)?;
            let rest = rest.trim_start();
            let (expected, rest) = match rest.starts_with('"') {
                true => quoted(rest).map(|(text, rest)| (Some(text), rest))?,
                false => {
                    let (word, rest) = self::key(rest).map_err(|_| "a value is missing")?;
                    (Some(word).filter(|word| word != "null"), rest)
                }
            };
            let new = if rest == " null" { None } else { Some(value(rest)?) };
            Command::Write(Write::CompareAndSet { key, expected, new })
        }
        "batch" => Command::Write(batch(rest)?),
        "len" => no_more(rest, Command::Len)?,
        "keys" => no_more(rest, Command::Keys)?,
        "stats" => no_more(rest, Command::Stats)?,
        "help" => no_more(rest, Command::Help)?,
        "quit" => no_more(rest, Command::Quit)?,
        other => return Err(format!("`{other}` is no command; `help` lists them")),
    };
    Ok(Some(command))
}

/// The batch that a text in JSON is.
pub(super) fn batch(text: &str) -> Result<Write, String> {
    let writes = serde_json::from_str(text);
    writes.map(Write::Batch).map_err(|error| format!("not an array of [KEY, VALUE]: {error}"))
}

fn only_key(text: &str) -> Result<String, String> {
    let (key, rest) = key(text)?;
    no_more(rest, key)
}

/// The key that a text begins with, and what follows it.
fn key(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    if text.starts_with('"') {
        return quoted(text);
    }
    let (key, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    if key.is_empty() { Err("a key is missing".into()) } else { Ok((key.to_owned(), rest)) }
}

fn value(rest: &str) -> Result<String, String> {
    match rest.strip_prefix(char::is_whitespace) {
        None if rest.is_empty() => Err("a value is missing".into()),
        None => Err(format!("`{rest}` follows the key without a space")),
        Some(text) if text.starts_with('"') => {
            let (value, rest) = quoted(text)?;
            no_more(rest, value)
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// The JSON string that a text begins with, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match strings.next() {
        Some(Ok(string)) => Ok((string, &text[strings.byte_offset()..])),
        Some(Err(error)) if error.is_eof() => Err("the closing double quote is missing".into()),
        Some(Err(error)) => Err(format!("not a JSON string: {error}")),
        None => Err("not a JSON string".into()),
    }
}

fn no_more<T>(rest: &str, found: T) -> Result<T, String> {
    match rest.trim() {
        "" => Ok(found),
        more => Err(format!("`{more}` is too much")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::json;
    use crate::protocol::Request;

    /// As the rows say.
    #[test]
    fn a_line_is_a_request_or_is_refused_with_a_message() {
        let rows = r#"What a line asks for, as a request of the protocol, or how what is said begins if it asks for nothing that there is.

set k v → {"Set":{"key":"k","value":"v"}}
  set   k v w   → {"Set":{"key":"k","value":"v w  "}}
set k  v → {"Set":{"key":"k","value":" v"}}
set k say "hi" → {"Set":{"key":"k","value":"say \"hi\""}}
set k  → {"Set":{"key":"k","value":""}}
set 🦀 🦀 → {"Set":{"key":"🦀","value":"🦀"}}
set "two words" "two\nlines" → {"Set":{"key":"two words","value":"two\nlines"}}
set "" "" → {"Set":{"key":"","value":""}}
set "k" v → {"Set":{"key":"k","value":"v"}}
get "two words"  → {"Get":{"key":"two words"}}
rm k → {"Remove":{"key":"k"}}
cas k v w x → {"CompareAndSet":{"key":"k","expected":"v","new":"w x"}}
cas k null w → {"CompareAndSet":{"key":"k","expected":null,"new":"w"}}
cas  k  "null" null → {"CompareAndSet":{"key":"k","expected":"null","new":null}}
cas "a b" "c d" "e" → {"CompareAndSet":{"key":"a b","expected":"c d","new":"e"}}
batch [["k","v"], ["l",null]] → {"Batch":{"writes":[["k","v"],["l",null]]}}

fly → `fly` is no command
get → a key is missing
get k l → `l` is too much
set → a key is missing
set k → a value is missing
set k "v" w → `w` is too much
set k "v → the closing double quote is missing
set "k"v → `v` follows the key without a space
get "\k" → not a JSON string
rm → a key is missing
cas k → a value is missing
cas k v → a value is missing
batch k → not an array
keys k → `k` is too much
quit now → `now` is too much
"#.lines().filter_map(|row| row.split_once(" → "));
        assert!(rows.clone().count() > 30);
        for (line, expected) in rows {
            let found = match parse(line) {
                Ok(Some(Command::Get { key })) => json(&Request::Get { key }),
                Ok(Some(Command::Write(write))) => json(&Request::from(write)),
                other => other.map(|other| format!("{other:?}")).unwrap_or_else(|message| message),
            };
            assert!(found.starts_with(expected), "`{line}` is {found}, not {expected}");
        }
    }
}
