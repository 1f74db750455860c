//! Clients that wait: for a server that is slow or hangs, while they are stopped themselves, and for
//! those who read their output.

use crate::*;
use kvs_test_kit::process::{is_connecting, signal, tasks};
use kvs_test_kit::wait::settle;
use std::process::Output;

/// What the clients here are given, in seconds.
const TIMEOUT: &str = "2";
const MORE_THAN_THE_TIMEOUT: Duration = Duration::from_millis(2500);

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A client of the server that a test plays, with this on its stdin.
fn client(listener: &TcpListener, args: &[&str], input: impl Into<Vec<u8>>) -> Child {
    let addr = listener.local_addr().unwrap();
    let mut child = spawn(&[args, &["--timeout", TIMEOUT]].concat(), addr);
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
        let mut server = Raw::accept(&listener);
        assert!(!server.line().is_empty());
        let mut answer = || match is_injected("an answer that never comes") {
            true => (),
            false => server.send_line("{\"Ok\":\"v\"}"),
        };
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
    let mut server = Raw::accept(&listener);
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
    stop(&client, || drop(Raw::accept(&listener)));
    let mut server = Raw::accept(&listener);
    while server.line().is_empty() {
        server = Raw::accept(&listener);
    }
    server.send_line("{\"Ok\":\"v\"}");
    prints(client, "v\n");
}

/// Nobody reads what the client prints for a while; its server waits for a second only.
#[test]
fn a_client_whose_output_waits_takes_its_answers_and_asks_for_little_more() {
    let (server, _dir) = new_kvs_server(&["--answer-timeout", "1"]);
    let value = "v".repeat(20_000);
    let mut other = server.connect();
    assert_eq!(other.ask(&set("k", &value)), NOTHING);
    for (line, lines, printed, most) in
        [("get k\n", 6_000, 20_001, 80 << 20), ("get\n", 300_000, 0, 20 << 20)]
    {
        let mut client = spawn(&["client"], server.addr);
        let mut stdin = client.stdin.take().unwrap();
        let feeder = thread::spawn(move || stdin.write_all(line.repeat(lines).as_bytes()).unwrap());
        settle(client.id());
        until("no answer waits", || stat(&mut other, "bytes_buffered") == 0);
        assert_eq!(stat(&mut other, "connections_timed_out"), 0);
        let memory = peak_resident(client.id());
        assert!(memory < most, "{memory} bytes in memory of `{line}`");
        let output = client.wait_with_output().unwrap();
        feeder.join().unwrap();
        assert_eq!(output.stdout.len(), lines * printed);
        let messages = output.stderr.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(messages, if printed == 0 { lines + 1 } else { 0 });
    }
}

const ENDLESS: &str = "1000000000000";
const OPEN: &[&str] = &["--pipeline", "8", "--rate", "10000"];

/// A bench that has begun, of a server that goes on.
fn bench(server: &Server, args: &[&str]) -> Child {
    let bench = spawn(&[&["bench", "--requests", ENDLESS], args].concat(), server.addr);
    serves_a_bench(server);
    bench
}

/// More than the keys that a bench begins with.
fn serves_a_bench(server: &Server) {
    let mut other = server.connect();
    until("it serves a bench", || stat(&mut other, "requests") > 2000);
}

/// Waits for the end of a bench. Returns how many requests were answered, how many failed, and what it
/// says of that.
fn reported(mut bench: Child) -> (u64, u64, String) {
    until("the bench ends", || bench.try_wait().unwrap().is_some());
    let Output { status, stdout, stderr } = bench.wait_with_output().unwrap();
    let (report, errors) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(1), "{report}{errors}");
    let answered = report.lines().nth(1).unwrap().split_once(" requests in").unwrap().0;
    let failed = report.lines().find_map(|line| line.strip_prefix("errors ")).unwrap();
    (answered.parse().unwrap(), failed.trim().parse().unwrap(), errors)
}

#[test]
fn a_bench_whose_server_hangs_or_goes_away_ends_at_its_timeout() {
    let hangs = "the first error: the server gave no answer within 2s\n";
    let ends = |args: &[&str], signal, message| {
        let (server, _dir) = new_kvs_server(&[]);
        let bench = bench(&server, &[args, &["--timeout", TIMEOUT]].concat());
        server.signal(signal);
        let (answered, failed, errors) = reported(bench);
        assert_eq!((answered + failed).to_string(), ENDLESS, "the rest counts as failed");
        assert!(errors.starts_with(message), "{errors}");
    };
    thread::scope(|scope| {
        for args in [&[][..], &["--pipeline", "8"], &["--connect-each"], OPEN] {
            scope.spawn(move || ends(args, "-STOP", hangs));
            scope.spawn(move || ends(args, "-KILL", "the first error: "));
        }
    });
}

#[test]
fn a_restart_of_its_server_costs_a_bench_what_was_under_way() {
    for (args, under_way) in [(&[][..], 16), (&["--pipeline", "8"], 128), (&["--connect-each"], 16)]
    {
        let (mut server, dir) = new_kvs_server(&[]);
        let mut bench = bench(&server, args);
        let addr = server.addr.to_string();
        server.kill();
        // Long enough for all clients to notice.
        thread::sleep(Duration::from_millis(100));
        assert!(bench.try_wait().unwrap().is_none(), "it gave up");
        let server = Server::start_at(&addr, Command::new(KVS).arg("server"), dir.path()).unwrap();
        serves_a_bench(&server);
        signal(bench.id(), "-INT");
        let (answered, failed, _) = reported(bench);
        // A server that is killed may take a connection once more.
        assert!(answered > 0 && (1..=3 * under_way).contains(&failed), "{answered}, {failed}");
    }
}
