//! What a server does with good, bad and strange clients, in the stage that the feature picks.

use kvs_test_kit::process::with_signals;
use kvs_test_kit::raw::{FOUND, GET, NOTHING, SET};
use kvs_test_kit::{Raw, Server};
#[cfg(all(target_os = "linux", not(stage = "final")))]
use kvs_test_kit::{
    process::{limit_open_files, tasks},
    until,
};
use std::net::Shutdown;
use tempfile::TempDir;

fn start(dir: &TempDir) -> Server {
    Server::start(&mut with_signals(env!("CARGO_BIN_EXE_kvs-server")), dir.path()).unwrap()
}

/// A server with a new store, and a client of it.
fn connected() -> (Server, Raw, TempDir) {
    let dir = TempDir::new().unwrap();
    let server = start(&dir);
    let client = server.connect();
    (server, client, dir)
}

const REMOVE: &str = r#"{"Remove":{"key":"k"}}"#;

#[test]
fn the_protocol_is_as_documented() {
    let (_server, mut client, _dir) = connected();
    for (request, answer) in [
        (r#"{"Get":{"key":"k"}}"#, r#"{"Ok":null}"#),
        (r#"{"Set":{"key":"k","value":"v"}}"#, r#"{"Ok":null}"#),
        (r#"{"Get":{"key":"k"}}"#, r#"{"Ok":"v"}"#),
        (r#"{"Remove":{"key":"k"}}"#, r#"{"Ok":null}"#),
        (r#"{"Remove":{"key":"k"}}"#, r#"{"Err":"Key not found"}"#),
    ] {
        assert_eq!(client.ask(request), answer, "{request}");
    }
}

#[test]
fn a_malformed_line_is_answered_in_words_and_the_connection_goes_on() {
    let (_server, mut client, _dir) = connected();
    let long = |before: &str, text: &str| [before, &text.repeat(1 << 16)].concat().into_bytes();
    let [deep, deeper] = [long("", "["), long("{\"Get\":{\"key\":", "{\"a\":")];
    let [digits, requests] =
        [long("{\"Get\":{\"key\":", "9"), long("", "{\"Get\":{\"key\":\"k\"}},")];
    let lines: [&[u8]; 17] = [
        b"",
        b"hello",
        b"{\"Get\":{}}",
        b"{\"Get\":{\"key\":1}}",
        b"{\"Get\":{\"key\":\"k\",\"more\":1}}",
        b"{\"Fly\":{\"key\":\"k\"}}",
        b"{\"Get\":{\"key\":\"k\"}} {\"Get\":{\"key\":\"k\"}}",
        b"{\"Get\":{\"key\":\"\xff\xfe\"}}",
        b"{\"Get\":{\"key\":\"\xed\xa0\x80\"}}",
        b"{\"Get\":{\"key\":\"\xc0\xaf\"}}",
        b"{\"Get\":{\"key\":\"\\ud800\"}}",
        b"{\"Get\":{\"key\":\"\0\"}}",
        b"{\"Get\":{\"key\":1e999999999}}",
        &deep,
        &deeper,
        &digits,
        &requests,
    ];
    // `final` takes a connection that begins with anything else for one of another protocol.
    assert_eq!(client.ask(GET), NOTHING);
    for line in lines {
        client.send([line, b"\n"].concat());
        let answer = client.line();
        assert!(
            answer.starts_with(r#"{"Err":"not a message of the protocol: "#),
            "{line:?} gave {answer}"
        );
        assert_eq!(client.ask(GET), NOTHING);
    }
}

#[test]
fn a_line_beyond_the_limit_is_refused_and_the_connection_goes_on() {
    let (_server, mut client, _dir) = connected();
    assert_eq!(client.ask(GET), NOTHING);
    let limit = kvs::protocol::MAX_LINE;
    client.send(vec![b'x'; limit + limit / 2]);
    let answer = client.ask("");
    assert!(answer.contains("longer than"), "{answer}");
    assert_eq!(client.ask(GET), NOTHING);

    let frame = r#"{"Set":{"key":"k","value":""}}"#.len() + 1;
    let value = "y".repeat(limit - frame);
    assert_eq!(client.ask(&SET.replace("\"v\"", &format!("\"{value}\""))), NOTHING);
    assert_eq!(client.ask(GET), format!(r#"{{"Ok":"{value}"}}"#));
}

#[test]
fn several_requests_in_one_packet_are_answered_in_order() {
    let (_server, mut client, _dir) = connected();
    client.send([SET, GET, "nonsense", REMOVE, GET, ""].join("\n"));
    assert_eq!(client.line(), NOTHING);
    assert_eq!(client.line(), FOUND);
    assert!(client.line().starts_with(r#"{"Err":"#));
    assert_eq!(client.line(), NOTHING);
    assert_eq!(client.line(), NOTHING);
}

#[test]
fn a_whole_request_is_answered_while_the_next_one_is_half_there() {
    let (_server, mut client, _dir) = connected();
    let (half, rest) = GET.split_at(10);
    client.send(format!("{SET}\n{half}"));
    assert_eq!(client.line(), NOTHING);
    assert_eq!(client.ask(rest), FOUND);
}

#[test]
fn one_request_in_many_packets_is_answered_once() {
    let (_server, mut client, _dir) = connected();
    for byte in format!("{SET}\n{GET}\n").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.line(), NOTHING);
    assert_eq!(client.line(), FOUND);
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answers() {
    let (_server, mut client, _dir) = connected();
    client.send(format!("{SET}\n{GET}\n"));
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.line(), NOTHING);
    assert_eq!(client.line(), FOUND);
    assert_eq!(client.line(), "", "the server closes when the client is done");
}

#[test]
fn clients_that_vanish_do_not_disturb_the_next_one() {
    let dir = TempDir::new().unwrap();
    let server = start(&dir);
    let mut first = server.connect();
    assert_eq!(first.ask(SET), NOTHING);
    drop(first);
    for end in ["", "{\"Get\"", "\u{0}\u{1}\u{2}"] {
        server.connect().send(end);
        // Closed with answers on their way: the server's next write fails.
        server.connect().send(format!("{GET}\n{end}").repeat(1000));
    }
    assert_eq!(server.connect().ask(GET), FOUND);
}

/// `final` has a descriptor in reserve to refuse with, and a test of its own.
#[cfg(all(target_os = "linux", not(stage = "final")))]
#[test]
fn a_server_out_of_descriptors_warns_once_and_goes_on_when_it_has_some() {
    let dir = TempDir::new().unwrap();
    let server = start(&dir);
    let limit = limit_open_files(server.pid(), 0);
    // `accept` takes a descriptor before it waits, so one more may still come in.
    drop(server.connect());
    let mut client = server.connect();
    client.send_line(GET);
    let warnings = || server.log().matches("cannot accept").count();
    until("it warns", || warnings() > 0);
    // It sleeps after each attempt.
    let switches = || tasks(server.pid()).iter().map(|task| task.switches).sum::<u64>();
    let before = switches();
    until("it has tried often", || switches() > before + 20);
    assert_eq!(warnings(), 1);
    limit_open_files(server.pid(), limit);
    assert_eq!(client.line(), NOTHING);
}

#[cfg(from_stage = "5")]
mod shutdown {
    use super::*;
    use kvs::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
    use kvs::{KvStore, KvsClient, KvsEngine, KvsServer, Result, ServerHandle};
    use kvs_test_kit::until;
    use std::net::SocketAddr;
    use std::thread::{self, JoinHandle};

    type Running = (SocketAddr, ServerHandle, JoinHandle<Result<()>>);

    fn run<P: ThreadPool + Send + 'static>(dir: &TempDir) -> Running {
        let store = KvStore::open(dir.path()).unwrap();
        let addr = ([127, 0, 0, 1], 0).into();
        let server = KvsServer::bind(addr, store, P::new(2).unwrap()).unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        (addr, handle, thread::spawn(move || server.run()))
    }

    /// Waits for the server's end, and fails where a plain join would wait for ever.
    fn ends(running: JoinHandle<Result<()>>) {
        until("the server stops", || running.is_finished());
        running.join().unwrap().unwrap();
    }

    fn a_handle_stops_the_server<P: ThreadPool + Send + 'static>() {
        let dir = TempDir::new().unwrap();
        let (addr, handle, running) = run::<P>(&dir);
        let mut client = KvsClient::connect(addr).unwrap();
        client.set("k".to_owned(), "v".to_owned()).unwrap();
        // Served or waiting for a worker, idle or half-way through a request.
        let mut idle: Vec<Raw> = (0..6).map(|_| Raw::connect(addr)).collect();
        idle[0].send("{\"Get\"");
        idle[5].send("{\"Get\"");

        handle.shutdown();
        ends(running);
        for client in &mut idle {
            assert_eq!(client.line(), "", "the connection is closed");
        }
        assert!(client.get("k".to_owned()).is_err());
        assert!(KvsClient::connect(addr).is_err(), "nobody listens");
        let store = KvStore::open(dir.path()).unwrap();
        assert_eq!(store.get("k".to_owned()).unwrap(), Some("v".to_owned()));
    }

    #[test]
    fn a_handle_stops_a_server_on_every_pool() {
        a_handle_stops_the_server::<NaiveThreadPool>();
        a_handle_stops_the_server::<SharedQueueThreadPool>();
        a_handle_stops_the_server::<RayonThreadPool>();
    }

    #[test]
    fn a_server_that_was_stopped_before_it_ran_returns_at_once() {
        let dir = TempDir::new().unwrap();
        let store = KvStore::open(dir.path()).unwrap();
        let pool = SharedQueueThreadPool::new(1).unwrap();
        let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), store, pool).unwrap();
        server.handle().shutdown();
        ends(thread::spawn(|| server.run()));
    }
}

#[cfg(any(from_stage = "5", stage = "async"))]
mod signals {
    use super::*;
    use kvs::{KvStore, KvsClient, KvsEngine};
    use kvs_test_kit::WATCHDOG;
    use std::io::Write;
    use std::thread::{self, JoinHandle};

    /// A flood of lines that are no requests, from a client that reads no answers.
    #[test]
    fn a_client_that_never_stops_sending_does_not_keep_the_server() {
        let dir = TempDir::new().unwrap();
        let server = start(&dir);
        let mut stream = server.connect().stream().try_clone().unwrap();
        let (started, starts) = std::sync::mpsc::channel();
        let flood = thread::spawn(move || {
            let mut sent = 0;
            while stream.write_all(&b"x\n".repeat(1000)).is_ok() {
                sent += 1;
                if sent == 10 {
                    started.send(()).unwrap();
                }
            }
        });
        starts.recv_timeout(WATCHDOG).unwrap();
        let (status, log) = server.terminate();
        assert_eq!(status.code(), Some(0), "{log}");
        flood.join().unwrap();
    }

    #[test]
    fn sigint_stops_the_server_as_sigterm_does() {
        let (server, mut client, dir) = connected();
        assert_eq!(client.ask(SET), NOTHING);
        server.signal("-INT");
        let (status, log) = server.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert_eq!(client.line(), "", "the connection is closed");
        let store = KvStore::open(dir.path()).unwrap();
        assert_eq!(store.get("k".to_owned()).unwrap(), Some("v".to_owned()));
    }

    /// Writers count what was acknowledged until the server goes away under them.
    #[test]
    fn after_sigterm_under_load_every_acknowledged_write_is_there() {
        let dir = TempDir::new().unwrap();
        let server = start(&dir);
        let addr = server.addr;
        let (started, starts) = std::sync::mpsc::channel();
        let writers: Vec<JoinHandle<usize>> = (0..2)
            .map(|writer| {
                let started = started.clone();
                let mut client = KvsClient::connect(addr).unwrap();
                thread::spawn(move || {
                    let mut acknowledged = 0;
                    while client.set(format!("{writer}-{acknowledged}"), "v".to_owned()).is_ok() {
                        acknowledged += 1;
                        if acknowledged == 100 {
                            started.send(()).unwrap();
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        drop(started);
        // One worker may serve both writers, one after the other: the first is enough.
        starts.recv_timeout(WATCHDOG).unwrap();
        let (status, log) = server.terminate();
        assert_eq!(status.code(), Some(0), "{log}");
        let store = KvStore::open(dir.path()).unwrap();
        for (writer, acknowledged) in writers.into_iter().enumerate() {
            let acknowledged = acknowledged.join().unwrap();
            for number in 0..acknowledged {
                let found = store.get(format!("{writer}-{number}")).unwrap();
                assert_eq!(found, Some("v".to_owned()), "write {number} of {acknowledged}");
            }
        }
    }
}

/// In the stages between, a few idle clients have all threads.
#[cfg(any(stage = "3", stage = "async", stage = "final"))]
#[test]
fn a_client_is_answered_while_another_one_is_idle() {
    let dir = TempDir::new().unwrap();
    let server = start(&dir);
    let _idle = server.connect();
    assert_eq!(server.connect().ask(GET), NOTHING);
}
