//! What somebody types, and what comes of it: the sessions in `sessions/`. Its README says how they are written. And the
//! conversations in `wire.md`.

use crate::formats::GOLDEN;
use crate::*;
use std::env;

#[test]
fn of_a_client() {
    are_as_shown(include_str!("sessions/client.md"));
}

#[test]
fn of_an_operator() {
    are_as_shown(include_str!("sessions/operator.md"));
}

#[test]
fn of_a_directory() {
    are_as_shown(include_str!("sessions/directory.md"));
}

#[test]
fn with_the_data() {
    are_as_shown(include_str!("sessions/data.md"));
}

/// Plays each session of a text.
pub(crate) fn are_as_shown(text: &str) {
    let (_, functions) = include_str!("sessions/README.md").split_once("```sh\n").unwrap();
    let (functions, _) = functions.split_once("```\n").unwrap();
    text.split("\n## ").skip(1).for_each(|session| is_as_shown(functions, session));
}

/// Has one shell run all commands, and compares what each has printed with what the session shows.
fn is_as_shown(functions: &str, session: &str) {
    let title = session.lines().next().unwrap();
    let (place, probe) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let work = place.path().join("work");
    fs::create_dir(&work).unwrap();
    if let Some((_, needs)) = session.split_once("\nNeeds `") {
        let needs = needs.split('`').next().unwrap();
        if !runs(&format!("{functions}{needs}"), probe.path()) {
            return eprintln!("skipped: {title}: needs {needs}");
        }
    }
    let steps = session.split("\n$ ").skip(1).map(|step| step.split("\n```").next().unwrap());
    let steps: Vec<_> = steps.map(command_and_lines).collect();
    let mut script = functions.to_owned();
    for (number, (command, _)) in steps.iter().enumerate() {
        script += &format!("{{ {command}\n}} >../{number}.out 2>../{number}.err </dev/null\n");
        script += &format!("echo $? >../{number}.code\n");
    }
    runs(&script, &work);
    for (number, (command, shown)) in steps.iter().enumerate() {
        let printed = |end: &str| {
            let bytes = fs::read(place.path().join(format!("{number}.{end}"))).unwrap_or_default();
            String::from_utf8(bytes).unwrap()
        };
        let mut all = printed("out");
        all.extend(printed("err").lines().map(|line| format!("! {line}\n")));
        match printed("code").trim() {
            "0" => {}
            code => all += &format!("[{code}]\n"),
        }
        let is_as_shown = fits(shown, all.strip_suffix('\n').unwrap_or(&all));
        assert!(is_as_shown, "{title}:\n$ {command}\n{all}and not\n{shown}");
    }
}

/// Runs a script in a directory, with our program. Returns whether it succeeds.
fn runs(script: &str, dir: &Path) -> bool {
    let programs = Path::new(KVS).parent().unwrap().display();
    let path = format!("{programs}:{}", env::var("PATH").unwrap());
    let mut shell = Command::new("timeout");
    shell.args(["60", "sh", "-c", script]).current_dir(dir).env_remove("RUST_LOG");
    shell.env("PATH", path).env("GOLDEN", GOLDEN).output().unwrap().status.success()
}

/// A command, and the lines that are shown of what comes of it.
fn command_and_lines(step: &str) -> (String, String) {
    let mut lines = step.lines();
    let (mut command, mut shown) = (lines.next().unwrap().to_owned(), Vec::new());
    for line in lines {
        match line.strip_prefix("> ") {
            Some(more) => command += &format!("\n{more}"),
            None => shown.push(line),
        }
    }
    (command, shown.join("\n"))
}

/// Has a client say what it says in a section of `wire.md`, and compares each answer with what is shown.
pub(crate) fn converses(client: &mut Raw, title: &str) {
    let (_, section) = include_str!("wire.md").split_once(&format!("\n## {title}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for exchange in section.split("\n> ").skip(1) {
        let (request, answer) = exchange.split_once("\n< ").unwrap();
        let (shown, found) = (answer.lines().next().unwrap(), client.ask(request));
        assert!(fits(shown, &found), "{title}: {request} gets {found}, not {shown}");
    }
}

/// Whether a text is what is shown, where a `…` is any part of a line, and alone in a line some lines.
fn fits(shown: &str, text: &str) -> bool {
    let Some((head, tail)) = shown.split_once('…') else { return shown == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    let begins_a_line = head.is_empty() || head.ends_with('\n');
    let is_alone = begins_a_line && (tail.is_empty() || tail.starts_with('\n'));
    let end = if is_alone { None } else { rest.find('\n') }.unwrap_or(rest.len());
    (0..=end).any(|at| rest.get(at..).is_some_and(|rest| fits(tail, rest)))
}
