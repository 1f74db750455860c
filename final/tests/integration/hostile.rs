//! Clients that mean harm, or whose programs are broken, beside one that behaves and must not notice.

use crate::kvs_server;
use kvs_test_kit::active::Active;
use kvs_test_kit::injected::is_injected;
use kvs_test_kit::local::stat;
use kvs_test_kit::process::{open_sockets, peak_resident};
use kvs_test_kit::requests::{FOUND, GET, NOTHING, SET};
use kvs_test_kit::{Raw, Server, until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::net::sockopt::set_socket_linger;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const REFUSED: &str = r#"{"Err":"not a message of the protocol: "#;
/// How often the one that behaves has to be answered while, and after, something bad happens.
const ANSWERS: usize = 200;

/// A server with a client that goes on asking.
struct Place {
    server: Server,
    behaves: Active,
    sockets: usize,
    _dir: TempDir,
}

impl Place {
    fn new(options: &[&str]) -> Place {
        let dir = TempDir::new().unwrap();
        let server = kvs_server(&[&["--threads", "2"], options].concat(), &dir);
        let mut client = server.connect();
        assert_eq!(client.ask(SET), NOTHING);
        let sockets = open_sockets(server.pid());
        drop(client);
        let behaves = Active::start(server.addr, 1);
        if is_injected("a client that takes what is another's") {
            server.connect().ask(r#"{"Remove":{"key":"k"}}"#);
        }
        Place { server, behaves, sockets, _dir: dir }
    }

    /// The one that behaves is answered from now on as well.
    fn goes_on(&self) {
        self.behaves.go_on(ANSWERS);
    }

    /// What the bad ones have left behind is gone, and the one that behaves had no trouble.
    fn recovers(self) {
        self.goes_on();
        // Those that came before it have been taken in when this one is served.
        let mut client = self.server.connect();
        until("their connections are closed", || stat(&mut client, "connections") == 2);
        let sockets = || open_sockets(self.server.pid());
        until("their sockets are closed", || sockets() == self.sockets + 1);
        assert_eq!(stat(&mut client, "bytes_buffered"), 0);
        self.behaves.stop();
    }
}

/// Closes it so that the other side gets a reset instead of an end.
fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

#[test]
fn each_line_of_garbage_gets_its_error() {
    let place = Place::new(&[]);
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..20 {
        let mut client = place.server.connect();
        assert_eq!(client.ask(GET), FOUND);
        let mut garbage = vec![0; 50_000];
        random.fill(&mut garbage[..]);
        garbage.push(b'\n');
        client.send(&garbage);
        for _ in garbage.iter().filter(|byte| **byte == b'\n') {
            let answer = client.line();
            assert!(answer.starts_with(REFUSED), "{answer}");
        }
        assert_eq!(client.ask(GET), FOUND);
    }
    place.recovers();
}

/// Fifty megabytes each from four clients, none of which has a newline.
#[test]
fn lines_without_end_take_no_more_memory_than_the_longest_line() {
    let place = Place::new(&["--max-request", "1M"]);
    let pid = place.server.pid();
    let before = peak_resident(pid);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = place.server.connect();
            assert_eq!(client.ask(GET), FOUND);
            scope.spawn(move || {
                for _ in 0..50 {
                    client.send(vec![b'x'; 1 << 20]);
                }
                // Its end is still waited for, and answered.
                let answer = client.ask("");
                assert!(answer.contains("the line is longer than 1048576 bytes"), "{answer}");
                assert_eq!(client.ask(GET), FOUND);
            });
        }
        place.goes_on();
    });
    let growth = peak_resident(pid) - before;
    println!("200 MiB of lines without end, {} KiB of memory at most", growth >> 10);
    // A buffer that grows by doubling may hold twice what it needs, and while it moves, once more.
    assert!(growth < 4 * (3 << 20) + (4 << 20), "{growth} bytes");
    place.recovers();
}

#[test]
fn what_is_deep_or_long_or_no_text_is_refused_and_the_connection_goes_on() {
    let place = Place::new(&[]);
    let mut client = place.server.connect();
    assert_eq!(client.ask(GET), FOUND);
    let many = |text: &str| text.repeat(1 << 20).into_bytes();
    let key = |text: &[u8]| [b"{\"Get\":{\"key\":", text, b"}}"].concat();
    let long_key = r#"{"Err":"the key is 1048576 bytes long; the limit is 65535"}"#;
    let lines: [(Vec<u8>, &str); 15] = [
        (key(&many("[")), REFUSED),
        (key(&many("{\"a\":")), REFUSED),
        (many("{\"Get\":"), REFUSED),
        (many("]"), REFUSED),
        (many("{\"Get\":{\"key\":\"k\"}},"), REFUSED),
        (key(&many("9")), REFUSED),
        (key(b"1e999999999"), REFUSED),
        (key(&many("\"")), REFUSED),
        (key(&[&b"\""[..], &many("k"), b"\""].concat()), long_key),
        // Each is six bytes, and one in the key.
        (key(&[&b"\""[..], &many("\\u0001"), b"\""].concat()), long_key),
        (key(b"\"\\ud800\""), REFUSED),
        (key(b"\"\xc0\xaf\""), REFUSED),
        (key(b"\"\xed\xa0\x80\""), REFUSED),
        (key(b"\"\xf0\x9f\xa6\""), REFUSED),
        (key(b"\"\0\""), REFUSED),
    ];
    for (mut line, expected) in lines {
        line.push(b'\n');
        client.send(&line);
        let answer = client.line();
        assert!(answer.starts_with(expected), "{answer} and not {expected}");
        assert_eq!(client.ask(GET), FOUND);
    }
    drop(client);
    place.recovers();
}

#[test]
fn a_hundred_halves_of_requests_and_then_silence_disturb_nobody() {
    let place = Place::new(&["--request-timeout", "0.5"]);
    let mut clients: Vec<Raw> = (0..100).map(|_| place.server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&SET[..1 + number % (SET.len() - 1)]);
    }
    place.goes_on();
    for client in &mut clients {
        let answer = client.line();
        assert!(answer.contains("took longer than 0.5 s to arrive"), "{answer}");
    }
    drop(clients);
    place.recovers();
}

#[test]
fn clients_that_go_in_the_middle_of_a_large_answer_leave_nothing_behind() {
    let place = Place::new(&[]);
    let large = format!(r#"{{"Set":{{"key":"large","value":"{}"}}}}"#, "v".repeat(4 << 20));
    assert_eq!(place.server.connect().ask(&large), NOTHING);
    let mut clients: Vec<Raw> = (0..10).map(|_| place.server.connect()).collect();
    for (number, mut client) in clients.drain(..).enumerate() {
        client.send("{\"Get\":{\"key\":\"large\"}}\n".repeat(3));
        client.stream().peek(&mut [0]).unwrap();
        if number % 2 == 0 {
            reset(client.stream().try_clone().unwrap());
        }
    }
    place.recovers();
}

#[test]
fn thousands_of_connections_that_come_and_go_at_once_disturb_nobody() {
    // No clock may have to close what a client has closed.
    let place = Place::new(&["--request-timeout", "600"]);
    let (addr, count) = (place.server.addr, 1000);
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                for round in 0..count {
                    let mut stream = TcpStream::connect(addr).unwrap();
                    match (number + round) % 4 {
                        0 => {}
                        1 => stream.write_all(&GET.as_bytes()[..5]).unwrap(),
                        2 => stream.write_all(format!("{GET}\n").as_bytes()).unwrap(),
                        _ => reset(stream),
                    }
                }
            });
        }
        place.goes_on();
    });
    println!("{} connections came and went", 4 * count);
    place.recovers();
}

/// Fifty at a time, each a byte further than the one before.
#[test]
fn requests_in_single_bytes_from_many_clients_are_all_answered() {
    let place = Place::new(&[]);
    let mut clients: Vec<Raw> = (0..50).map(|_| place.server.connect()).collect();
    let request = format!("{GET}\n");
    for step in 0..request.len() + clients.len() {
        for (number, client) in clients.iter_mut().enumerate() {
            if let Some(byte) = step.checked_sub(number).and_then(|at| request.as_bytes().get(at)) {
                client.send([*byte]);
            }
        }
    }
    for client in &mut clients {
        assert_eq!(client.line(), FOUND);
    }
    drop(clients);
    place.recovers();
}
