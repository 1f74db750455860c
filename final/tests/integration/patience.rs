//! Clients that wait: for a server that is slow or hangs, while they are stopped themselves, and for
//! those who read their output.

use crate::{KVS, kvs_server};
use kvs_final::KvsClient;
use kvs_test_kit::process::{is_connecting, peak_resident, signal, tasks};
use kvs_test_kit::wait::settle;
use kvs_test_kit::{Raw, until};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// What the clients here are given, in seconds.
const TIMEOUT: &str = "2";
const MORE_THAN_THE_TIMEOUT: Duration = Duration::from_millis(2500);

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A client of the server that a test plays, with this on its stdin.
fn client(listener: &TcpListener, args: &[&str], input: impl Into<Vec<u8>>) -> Child {
    let addr = listener.local_addr().unwrap().to_string();
    let mut child = Command::new(KVS)
        .args(args)
        .args(["--timeout", TIMEOUT, "--addr", &addr])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.into());
    thread::spawn(move || stdin.write_all(&input));
    child
}

fn is_all(client: &Child, state: char) -> bool {
    tasks(client.id()).iter().all(|task| task.state == state)
}

/// Stops a client for longer than its timeout; `then` happens before it goes on.
fn stop<T>(client: &Child, then: impl FnOnce() -> T) -> T {
    signal(client.id(), "-STOP");
    until("it stops", || is_all(client, 'T'));
    thread::sleep(MORE_THAN_THE_TIMEOUT);
    let result = then();
    signal(client.id(), "-CONT");
    result
}

fn accept(listener: &TcpListener) -> Raw {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    until("a client comes", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    Raw::from(accepted.unwrap().0)
}

fn prints(client: Child, expected: &str) {
    let Output { status, stdout, stderr } = client.wait_with_output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    assert_eq!(String::from_utf8(stdout).unwrap(), expected);
}

#[test]
fn time_in_which_a_client_was_stopped_is_not_the_servers() {
    let wait = |args: &[&str], input: &str, answered_before: bool| {
        let listener = listen();
        let client = client(&listener, args, input);
        let mut server = accept(&listener);
        assert!(!server.line().is_empty());
        let mut answer = || server.send_line("{\"Ok\":\"v\"}");
        if answered_before {
            stop(&client, answer);
        } else {
            stop(&client, || ());
            answer();
        }
        prints(client, if args[0] == "stats" { "v" } else { "v\n" });
    };
    thread::scope(|scope| {
        for answered_before in [true, false] {
            scope.spawn(move || wait(&["client", "get", "k"], "", answered_before));
            scope.spawn(move || wait(&["client"], "get k", answered_before));
            scope.spawn(move || wait(&["stats"], "", answered_before));
        }
    });
}

#[test]
fn so_it_is_while_a_request_is_taken() {
    let listener = listen();
    let client = client(&listener, &["client"], format!("set k {}", "v".repeat(15 << 20)));
    let mut server = accept(&listener);
    until("the request comes", || server.has_answer());
    until("it is too long for the sockets", || is_all(&client, 'S'));
    stop(&client, || ());
    assert!(server.line().len() > 15 << 20);
    server.send_line("{\"Ok\":null}");
    prints(client, "");
}

#[test]
fn so_it_is_while_a_connection_is_taken() {
    let listener = listen();
    // No room for one that was not accepted, but for the first.
    rustix::net::listen(&listener, 0).unwrap();
    let _first = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let client = client(&listener, &["client", "get", "k"], "");
    until("it asks for a connection", || is_connecting(listener.local_addr().unwrap()));
    stop(&client, || drop(accept(&listener)));
    let mut server = accept(&listener);
    while server.line().is_empty() {
        server = accept(&listener);
    }
    server.send_line("{\"Ok\":\"v\"}");
    prints(client, "v\n");
}

/// Nobody reads what the client prints for a while; its server waits for a second only.
#[test]
fn a_client_whose_output_waits_takes_its_answers_and_asks_for_little_more() {
    const GETS: usize = 6000;
    let dir = TempDir::new().unwrap();
    let server = kvs_server(&["--answer-timeout", "1"], &dir);
    let value = "v".repeat(20_000);
    let mut other = KvsClient::connect(server.addr).unwrap();
    other.set("k".to_owned(), value.clone()).unwrap();
    let mut client = Command::new(KVS)
        .args(["client", "--addr", &server.addr.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all("get k\n".repeat(GETS).as_bytes()).unwrap();
    settle(client.id());
    until("no answer waits", || other.stats().unwrap().contains("bytes_buffered 0\n"));
    let stats = other.stats().unwrap();
    assert!(stats.contains("connections_timed_out 0\n"), "{stats}");
    let memory = peak_resident(client.id());
    assert!(memory < 80 << 20, "{memory} bytes in memory of {}", GETS * value.len());
    let printed = client.wait_with_output().unwrap();
    assert!(printed.status.success());
    assert!(printed.stdout == format!("{value}\n").repeat(GETS).into_bytes());
}
