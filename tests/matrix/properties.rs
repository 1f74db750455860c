//! The rows of the matrix: for each property of a stage an experiment.

use crate::stage_process::{DISTANT, Stage, THREADS};
use kvs_test_kit::Raw;
use kvs_test_kit::files::log_in;
use kvs_test_kit::raw::{FOUND, GET, NOTHING, SET};
use std::fs;
use tempfile::TempDir;

/// The experiment that decides each row, in the order in which the stages gain the properties.
pub const PROPERTIES: [fn(&str) -> bool; 10] = [
    second_client_is_answered,
    threads_stay_bounded,
    a_panic_costs_no_worker,
    two_slow_reads_overlap,
    a_read_completes_during_a_write,
    idle_clients_leave_it_answering,
    waiting_writers_leave_reads_answered,
    waiting_gets_leave_sets_answered,
    sigterm_stops_it,
    a_torn_tail_is_cut,
];

/// A server of the stage, with one key in it and no client.
fn start(stage: &str) -> (Stage, TempDir) {
    start_at("os", stage)
}

fn start_at(durability: &str, stage: &str) -> (Stage, TempDir) {
    let dir = TempDir::new().unwrap();
    let server = Stage::start(stage, durability, dir.path()).unwrap();
    assert_eq!(server.connect().ask(SET), NOTHING);
    server.settle();
    (server, dir)
}

/// A client that has sent a request.
fn asks(server: &Stage, request: &str) -> Raw {
    let mut client = server.connect();
    client.send_line(request);
    client
}

/// How many workers a pool of the stage has.
fn workers(stage: &str) -> usize {
    if stage == "4" { num_cpus::get() } else { THREADS }
}

fn second_client_is_answered(stage: &str) -> bool {
    let (server, _dir) = start(stage);
    let mut first = server.connect();
    assert_eq!(first.ask(GET), FOUND);
    let mut second = asks(&server, GET);
    let answered = server.answers(&second);
    drop(first);
    assert_eq!(second.line(), FOUND, "at the latest when the first one has gone");
    answered
}

fn threads_stay_bounded(stage: &str) -> bool {
    let (server, _dir) = start(stage);
    let before = server.threads();
    let clients: Vec<Raw> = (0..100).map(|_| asks(&server, GET)).collect();
    server.settle();
    let growth = server.threads() - before;
    drop(clients);
    growth < 10
}

fn a_panic_costs_no_worker(stage: &str) -> bool {
    let (mut server, _dir) = start(stage);
    let before = server.threads();
    server.order("panic read");
    assert_eq!(asks(&server, GET).line(), "", "the panic closes the connection");
    server.settle();
    if server.threads() != before {
        return false;
    }
    let mut next = asks(&server, GET);
    server.answers(&next) && next.line() == FOUND
}

fn two_slow_reads_overlap(stage: &str) -> bool {
    let (mut server, _dir) = start(stage);
    server.order("hold read");
    let mut clients = [asks(&server, GET), asks(&server, GET)];
    assert!(server.holds_one_more());
    let overlap = server.holds_one_more();
    server.order("release");
    for client in &mut clients {
        assert_eq!(client.line(), FOUND);
        client.stream().shutdown(std::net::Shutdown::Both).unwrap();
    }
    overlap
}

fn a_read_completes_during_a_write(stage: &str) -> bool {
    let (mut server, _dir) = start(stage);
    server.order("hold append");
    let mut writer = asks(&server, &SET.replace("\"v\"", "\"w\""));
    assert!(server.holds_one_more());
    let mut reader = asks(&server, GET);
    let answered = server.answers(&reader);
    if answered {
        assert_eq!(reader.line(), FOUND, "the write is not done yet");
    }
    server.order("release");
    assert_eq!(writer.line(), NOTHING);
    answered
}

fn idle_clients_leave_it_answering(stage: &str) -> bool {
    let (server, _dir) = start(stage);
    let idle: Vec<Raw> = (0..workers(stage)).map(|_| server.connect()).collect();
    server.settle();
    let mut client = asks(&server, GET);
    let answered = server.answers(&client);
    drop(idle);
    assert_eq!(client.line(), FOUND, "at the latest when the idle ones have gone");
    answered
}

fn waiting_writers_leave_reads_answered(stage: &str) -> bool {
    // The level at which a write has something to wait for.
    let server = start_at("always", stage);
    waiting_leave_answered(stage, server, ["append", SET], [GET, FOUND])
}

/// Where an engine can only wait within `get`, the store's waits there; `final` has one that calls back.
fn waiting_gets_leave_sets_answered(stage: &str) -> bool {
    let server = start(if stage == "final" { DISTANT } else { stage });
    waiting_leave_answered(stage, server, ["read", GET], [SET, NOTHING])
}

/// Whether a request is answered while as many others as there are workers wait at a sync point.
fn waiting_leave_answered(
    stage: &str,
    (mut server, _dir): (Stage, TempDir),
    [point, waits]: [&str; 2],
    [request, answer]: [&str; 2],
) -> bool {
    server.order(&format!("hold {point}"));
    let waiting: Vec<Raw> = (0..workers(stage)).map(|_| asks(&server, waits)).collect();
    assert!(server.holds_one_more());
    server.settle();
    let mut client = asks(&server, request);
    let answered = server.answers(&client);
    server.order("release");
    drop(waiting);
    assert_eq!(client.line(), answer, "at the latest when the others are done");
    answered
}

fn sigterm_stops_it(stage: &str) -> bool {
    let (server, dir) = start(stage);
    let idle = server.connect();
    let exit_code = server.terminate();
    drop(idle);
    // Stopped one way or the other, the data is there.
    let again = Stage::start(stage, "os", dir.path()).unwrap();
    assert_eq!(again.connect().ask(GET), FOUND);
    exit_code == Some(0)
}

fn a_torn_tail_is_cut(stage: &str) -> bool {
    let (server, dir) = start(stage);
    assert_eq!(server.connect().ask(&SET.replace("\"k\"", "\"torn\"")), NOTHING);
    drop(server);
    let log = log_in(dir.path());
    let length = log.metadata().unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(length - 5).unwrap();
    match Stage::start(stage, "os", dir.path()) {
        Ok(server) => {
            let mut client = server.connect();
            assert_eq!(client.ask(GET), FOUND, "the record before the tail is whole");
            assert_eq!(client.ask(&GET.replace("\"k\"", "\"torn\"")), NOTHING);
            true
        }
        Err(log) => {
            assert!(log.contains("damaged at byte"), "{log}");
            false
        }
    }
}
