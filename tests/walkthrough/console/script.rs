//! A console block as commands with the output that the text shows.

/// A command, and what is to come of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// In the block, from 0.
    pub line: usize,
    /// As it is typed; several lines if it goes on after a `\`.
    pub command: String,
    pub expected: Vec<String>,
}

impl Step {
    /// Whether the shell does not wait for it.
    pub fn is_background(&self) -> bool {
        self.command.ends_with(" &")
    }
}

/// Reads a block. Lines with `$ ` are commands, which go on in lines with `> ` after a `\`.
///
/// # Errors
/// If it begins with output.
pub fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, words) in text.lines().enumerate() {
        if let Some(command) = words.strip_prefix("$ ") {
            let command = command.trim_end().to_owned();
            steps.push(Step { line, command, expected: Vec::new() });
            continue;
        }
        let step = steps.last_mut().ok_or("the first line is no command")?;
        match words.strip_prefix("> ") {
            Some(more) if step.command.ends_with('\\') && step.expected.is_empty() => {
                step.command += &format!("\n{}", more.trim_end());
            }
            _ if is_from_the_shell(words) => {}
            _ => step.expected.push(words.to_owned()),
        }
    }
    Ok(steps)
}

/// Whether a line is the shell's own word on its jobs: `[1] 4711`, `[1]+  Terminated …`, `bash: line
/// 7: 4711 Killed …`. They depend on when it looks, so they are not compared.
pub fn is_from_the_shell(line: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let job = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((job, rest)) = job
        && number(job)
    {
        return rest.starts_with(['+', '-']) || rest.starts_with("  ") || number(rest.trim());
    }
    let process = line.strip_prefix("bash: line ").and_then(|rest| rest.split_once(": "));
    process.is_some_and(|(_, rest)| rest.split_whitespace().next().is_some_and(number))
}

/// What a block that is not run may have: the commands to build and to fetch, and no output.
pub fn is_plain(step: &Step) -> bool {
    const COMMANDS: [&str; 4] = ["cargo", "nc", "git clone", "cd"];
    let begins = |words: &&str| step.command.starts_with(&format!("{words} "));
    step.expected.is_empty() && COMMANDS.iter().any(begins)
}

pub mod tests {
    use super::*;

    pub fn a_block_becomes_its_commands_with_their_output() {
        let text = "$ server &\n[1] 4711\nlistening\n$ one \\\n> two\n> out\n\nmore\n$ kill %1\n\
                    [1]+  Terminated              server\n";
        let step = |line, command: &str, expected: &[&str]| Step {
            line,
            command: command.to_owned(),
            expected: expected.iter().map(|line| (*line).to_owned()).collect(),
        };
        let expected = [
            step(0, "server &", &["listening"]),
            step(3, "one \\\ntwo", &["> out", "", "more"]),
            step(8, "kill %1", &[]),
        ];
        assert_eq!(steps(text).unwrap(), expected);
        assert!(steps("out\n").is_err());
    }

    pub fn the_words_of_the_shell_are_told_from_output() {
        for line in ["[1] 4711", "[2]-  Done    x", "bash: line 11: 4711 Killed    sleep 3"] {
            assert!(is_from_the_shell(line), "{line}");
        }
        for line in ["[2026-11-22T13:00:00Z INFO ] kvs", "[1]", "bash: line 12: kill: %3: no job"] {
            assert!(!is_from_the_shell(line), "{line}");
        }
    }
}
