//! Clients that mean harm, or whose programs are broken, beside one that behaves and must not notice;
//! and what they leave in a server's memory and in its log: nothing, and few lines. (That nothing else
//! grows, the promise `soak` sees.)

use crate::*;
use kvs_test_kit::process::{open_sockets, resident};
use kvs_test_kit::raw::Active;

/// How often the one that behaves has to be answered while, and after, something bad happens.
const ANSWERS: usize = 200;

/// Fifty megabytes each from four clients, none of which has a newline, beside one that goes on asking.
#[test]
fn lines_without_end_take_no_more_memory_than_the_longest_line_and_leave_nothing_behind() {
    let (server, _dir) = new_kvs_server(&["--threads", "2", "--max-request", "1M"]);
    let mut client = server.connect();
    assert_eq!(client.ask(SET), NOTHING);
    let (pid, sockets) = (server.pid(), open_sockets(server.pid()));
    let behaves = Active::start(server.addr, 1);
    if is_injected("a client that takes what is another's") {
        client.ask(&remove("k"));
    }
    let before = peak_resident(pid);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = server.connect();
            assert_eq!(client.ask(&get("absent")), NOTHING);
            scope.spawn(move || {
                (0..50).for_each(|_| client.send(vec![b'x'; 1 << 20]));
                // Its end is still waited for, and answered.
                let answer = client.ask("");
                assert!(answer.contains("the line is longer than 1048576 bytes"), "{answer}");
                assert_eq!(client.ask(&get("absent")), NOTHING);
            });
        }
        behaves.go_on(ANSWERS);
    });
    let growth = peak_resident(pid) - before;
    // A buffer that grows by doubling may hold twice what it needs, and while it moves, once more.
    assert!(growth < 4 * (3 << 20) + (4 << 20), "{growth} bytes");
    behaves.go_on(ANSWERS);
    until("their connections are closed", || stat(&mut client, "connections") == 2);
    until("their sockets are closed", || open_sockets(pid) == sockets + 1);
    assert_eq!(stat(&mut client, "bytes_buffered"), 0);
    behaves.stop();
}

#[test]
fn a_burst_of_large_requests_leaves_no_memory_behind() {
    const MOST: u64 = 48 << 20;
    let (server, _dir) = new_kvs_server(&["--threads", "2"]);
    let mut client = server.connect();
    assert_eq!(client.ask(GET), NOTHING);
    let before = resident(server.pid());
    let value = "v".repeat(12 << 20);
    thread::scope(|scope| {
        for number in 0..8 {
            let mut client = server.connect();
            let large = set(&number.to_string(), &value);
            scope.spawn(move || (0..3).for_each(|_| assert_eq!(client.ask(&large), NOTHING)));
        }
    });
    until("they are gone", || stat(&mut client, "connections") == 1);
    let left = || resident(server.pid()).saturating_sub(before);
    until("their memory is given back", || left() < MOST);
}

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
    let mut command = limited(&format!("-n {limit}"), "server");
    let server = Server::start(command.args(options), dir.path()).unwrap();
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
