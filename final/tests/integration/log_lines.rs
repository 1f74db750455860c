//! Log lines that a client can cause: many times the same, few lines, and none is left out of the count.

use crate::KVS;
use kvs_test_kit::requests::{GET, NOTHING};
use kvs_test_kit::{Raw, Server, until};
use std::process::Command;
use std::thread;
use tempfile::TempDir;

const TIMES: u64 = 300;

/// How often the log says that something of this kind has happened, in how many lines, and the last one.
fn said(log: &str, what: &str) -> (u64, u64, String) {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(what)).collect();
    let count = |line: &&str| {
        let count = line.split_once(" times more")?.0.rsplit(' ').next()?.parse::<u64>();
        Some(count.unwrap())
    };
    let times = lines.iter().map(|line| count(line).unwrap_or(1)).sum();
    (times, lines.len() as u64, lines.last().copied().unwrap_or_default().to_owned())
}

/// Clients cause it, one after the other; those before them stay.
fn are_few(limit: &str, options: &[&str], text: &str, what: &str) {
    let dir = TempDir::new().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" server \"$@\""), KVS]).args(options);
    let server = Server::start(&mut shell, dir.path()).unwrap();
    let mut stay: Vec<Raw> = Vec::new();
    let (mut caused, mut last) = (0, String::new());
    while caused < TIMES {
        let mut client = server.connect();
        match client.try_ask(text) {
            answer if answer == NOTHING => stay.push(client),
            answer => {
                assert!(answer.starts_with(r#"{"Err""#), "{answer}");
                (caused, last) = (caused + 1, client.stream().local_addr().unwrap().to_string());
            }
        }
    }
    // At most one line in five seconds.
    until("all of it is in the log", || said(&server.log(), what).0 >= TIMES);
    let (times, lines, last_line) = said(&server.log(), what);
    assert_eq!(times, TIMES, "{last_line}");
    assert!(lines < TIMES / 10, "{lines} lines");
    assert!(last_line.contains(&last), "{last_line}");
}

#[test]
fn what_clients_can_cause_to_be_logged_is_logged_now_and_then_with_a_count() {
    thread::scope(|scope| {
        scope.spawn(|| are_few("40", &[], GET, "is refused"));
        scope.spawn(|| are_few("100", &["--max-connections", "1"], GET, "is refused"));
        scope.spawn(|| are_few("100", &[], "POST /", "another protocol"));
    });
}
