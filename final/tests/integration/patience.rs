//! Clients that wait: for a server that is slow or hangs, while they are stopped themselves, and for
//! those who read their output.

use crate::KVS;
use kvs_test_kit::process::{is_connecting, signal, tasks};
use kvs_test_kit::{Raw, until};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

/// What the clients here are given, in seconds.
const TIMEOUT: &str = "0.5";
const MORE_THAN_THE_TIMEOUT: Duration = Duration::from_millis(1200);

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
    let listener = listen();
    for (args, input) in
        [(&["client", "get", "k"][..], ""), (&["client"], "get k"), (&["stats"], "")]
    {
        for answered_before in [true, false] {
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
        }
    }
}

#[test]
fn so_it_is_while_a_request_is_taken() {
    let listener = listen();
    let client = client(&listener, &["client"], format!("set k {}", "v".repeat(16 << 20)));
    let mut server = accept(&listener);
    until("the request comes", || server.has_answer());
    until("it is too long for the sockets", || is_all(&client, 'S'));
    stop(&client, || ());
    assert!(server.line().len() > 16 << 20);
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
