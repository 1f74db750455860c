//! How a server ends that has something to do.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support {
    pub(crate) mod engines;
    pub(crate) mod local;
    pub(crate) mod process;
    #[path = "../../../tests/support/server.rs"]
    #[allow(unreachable_pub)]
    pub(crate) mod server;
}

use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvStore, KvsEngine, Limits};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread;
use support::engines::{Deferred, Gated};
use support::local::{Local, figure, is_deaf};
use support::process::{exit_code, kvs_server, signal};
use support::server::{Raw, Server, WATCHDOG};
use tempfile::TempDir;

const NOTHING: &str = r#"{"Ok":null}"#;
const GET_LARGE: &str = "{\"Get\":{\"key\":\"large\"}}\n";
/// What the answer to it has beside the value.
const FRAME: usize = r#"{"Ok":""}"#.len();

fn set(key: &str, value: &str) -> String {
    format!("{{\"Set\":{{\"key\":\"{key}\",\"value\":\"{value}\"}}}}\n")
}

/// A server with a value of so many bytes.
fn with_large_value(length: usize, dir: &TempDir) -> Server {
    let server = kvs_server(&["--threads", "2"], dir);
    let mut client = server.connect();
    client.send(set("large", &"v".repeat(length)));
    assert_eq!(client.line(), NOTHING);
    server
}

/// Which of the requests of a loader ask for the large value.
fn asks_for_large(number: usize) -> bool {
    number % 50 == 49
}

/// Sends writes, and reads now and then, and reads all answers until the server closes the connection.
/// Returns how many came.
fn load(stream: TcpStream, name: &str, progress: &Sender<()>) -> usize {
    let mut sender = stream.try_clone().unwrap();
    let packet = |start: usize| -> String {
        let request = |number| match asks_for_large(number) {
            true => GET_LARGE.to_owned(),
            false => set(&format!("{name}-{number}"), &number.to_string()),
        };
        (start..start + 100).map(request).collect()
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut starts = (0..).step_by(100);
            while sender.write_all(packet(starts.next().unwrap()).as_bytes()).is_ok() {}
        });
        let mut answers = BufReader::new(&stream);
        let mut answer = Vec::new();
        let mut count = 0;
        while answers.read_until(b'\n', &mut answer).unwrap() > 0 {
            assert!(answer.ends_with(b"\n"), "{name}: answer {count} is cut off");
            if !asks_for_large(count) {
                assert_eq!(answer, b"{\"Ok\":null}\n", "{name}: answer {count}");
            }
            answer.clear();
            count += 1;
            let _ = progress.send(());
        }
        stream.shutdown(Shutdown::Both).unwrap();
        count
    })
}

/// Each client has many requests under way, and each answer that it gets is whole and true.
#[test]
fn sigterm_under_load_loses_no_acknowledged_write_and_cuts_no_answer() {
    let (rounds, mut acknowledged) = (20, 0);
    for round in 0..rounds {
        let dir = TempDir::new().unwrap();
        let server = with_large_value(100_000, &dir);
        let (progress, steps) = mpsc::channel();
        let loaders: Vec<_> = (0..4)
            .map(|name| {
                let (stream, progress) = (TcpStream::connect(server.addr), progress.clone());
                thread::spawn(move || load(stream.unwrap(), &name.to_string(), &progress))
            })
            .collect();
        // A different moment each round.
        for _ in 0..500 + round * 77 {
            steps.recv_timeout(WATCHDOG).unwrap();
        }
        let (status, log) = server.terminate();
        assert_eq!(status.code(), Some(0), "{log}");
        let counts: Vec<usize> = loaders.into_iter().map(|load| load.join().unwrap()).collect();
        let store = KvStore::open(dir.path()).unwrap();
        for (name, count) in counts.into_iter().enumerate() {
            for number in (0..count).filter(|number| !asks_for_large(*number)) {
                let found = store.get(format!("{name}-{number}")).unwrap();
                assert_eq!(found, Some(number.to_string()), "round {round}: {name}-{number}");
                acknowledged += 1;
            }
        }
    }
    println!("{rounds} rounds of SIGTERM, {acknowledged} acknowledged writes, none lost");
}

/// A connection whose socket takes little, and that has asked for the large value and not read it.
fn reads_later(server: &Server) -> Raw {
    let mut client = server.connect();
    set_socket_recv_buffer_size(client.stream(), 64 << 10).unwrap();
    client.send(GET_LARGE);
    client.stream().peek(&mut [0]).unwrap();
    client
}

#[test]
fn an_answer_that_is_under_way_is_delivered_whole() {
    // What waits in the server, and what waits in its sockets only.
    for length in [15 << 20, 300 << 10] {
        let dir = TempDir::new().unwrap();
        let mut server = with_large_value(length, &dir);
        let mut clients = [reads_later(&server), reads_later(&server)];
        signal(&server, "-TERM");
        is_deaf(server.addr);
        // One goes on sending, to a server that takes no more.
        clients[1].send("{\"Get\"");
        for client in &mut clients {
            assert_eq!(client.line().len(), length + FRAME);
            assert_eq!(client.line(), "", "it is closed");
        }
        drop(clients);
        assert_eq!(exit_code(&mut server), Some(0));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (name, number) in [("-TERM", 15), ("-INT", 2)] {
        let dir = TempDir::new().unwrap();
        let mut server = with_large_value(15 << 20, &dir);
        let _waits = reads_later(&server);
        signal(&server, "-TERM");
        is_deaf(server.addr);
        signal(&server, name);
        assert_eq!(exit_code(&mut server), Some(128 + number));
    }
}

#[test]
fn requests_that_are_executed_are_answered_before_it_ends() {
    let engine = Gated::default();
    let gate = engine.0.clone();
    let mut server = Local::start(engine, Limits::default());
    let mut clients: Vec<Raw> = (0..2).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("{\"Get\":{\"key\":\"v\"}}\n");
    }
    gate.wait_for(2);
    server.begin_stop();
    gate.open();
    for client in &mut clients {
        assert_eq!(client.line(), r#"{"Ok":"v"}"#);
        assert_eq!(client.line(), "", "it is closed");
    }
    drop(clients);
    server.stop();
}

/// Many of each connection, which nobody has read when the server is told to stop.
#[test]
fn requests_that_have_arrived_are_answered_before_it_ends() {
    let engine = Gated::default();
    let gate = engine.0.clone();
    let pool = SharedQueueThreadPool::new(1).unwrap();
    let mut server = Local::start_on(pool, engine, Limits { jobs: 1, ..Limits::default() });
    let mut clients: Vec<Raw> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(set("k", "v").trim_end()), NOTHING);
    }
    let mut busy = server.connect();
    busy.send(GET_LARGE);
    gate.wait_for(1);
    let count = 500;
    for client in &mut clients {
        client.send(set("k", "v").repeat(count));
    }
    server.begin_stop();
    // Long enough for another server to do a lot: this one looks at its connections meanwhile.
    let other = Local::start(Gated::default(), Limits::default());
    let mut witness = other.connect();
    for _ in 0..200 {
        assert_eq!(witness.ask(set("k", "v").trim_end()), NOTHING);
    }
    gate.open();
    for client in &mut clients {
        let answers = (0..).take_while(|_| client.line() == NOTHING).count();
        assert_eq!(answers, count);
    }
    assert_eq!([busy.line(), busy.line()], [r#"{"Ok":"large"}"#, ""]);
    drop((clients, busy));
    server.stop();
}

#[test]
fn writes_that_are_done_late_are_answered_before_it_ends() {
    let engine = Deferred::default();
    let mut server = Local::start(engine.clone(), Limits::default());
    let mut client = server.connect();
    client.send(set("a", "1") + &set("b", "2"));
    let mut other = server.connect();
    support::local::until("both wait", || engine.waiting() == 2);
    assert_eq!(figure(&mut other, "connections"), 2);
    server.begin_stop();
    assert_eq!(other.line(), "", "it is closed");
    engine.finish("b");
    engine.finish("a");
    assert_eq!([client.line(), client.line(), client.line()], [NOTHING, NOTHING, ""]);
    drop((client, other));
    server.stop();
}

/// `KvsServer::run` promises to cut off what is not done after its time of grace.
#[test]
fn a_write_that_is_never_done_does_not_keep_it_for_ever() {
    let engine = Deferred::default();
    let mut server = Local::start(engine.clone(), Limits::default());
    let mut client = server.connect();
    client.send(set("k", "v"));
    support::local::until("it waits", || engine.waiting() == 1);
    server.stop();
    assert_eq!(client.line(), "", "it is closed without an answer");
    // Who comes too late finds nobody to tell, and that is all.
    engine.finish("k");
}
