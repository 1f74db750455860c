//! What a server takes from its clients: each limit, on both sides of it.

use crate::sessions::converses;
use crate::*;
use kvs_test_kit::engines::AT_ONCE;

/// Of 200 GETs, as a measure of how long something else does not happen.
const A_WHILE: usize = 200;
/// For a limit of time that a test waits for.
const SHORT: Duration = Duration::from_millis(100);

fn with(mut limits: Limits) -> Local {
    if is_injected("a limit that is one too high") {
        limits.key_bytes += 1;
    }
    Local::start(Memory::default(), limits)
}

/// The connection gets this error and is closed.
fn is_closed_with(client: &mut Raw, message: &str) {
    let answer = client.line();
    assert!(answer.starts_with(r#"{"Err":""#) && answer.contains(message), "{answer}");
    assert_eq!(client.line(), "", "it is closed");
}

#[test]
fn a_request_of_as_many_bytes_as_allowed_is_served_and_one_byte_more_is_not() {
    let frame = set("k", "").len() + "\n".len();
    let server = with(Limits { request_bytes: 100, ..Limits::default() });
    let mut client = server.connect();
    assert_eq!(client.ask(&set("k", &"v".repeat(100 - frame))), NOTHING);
    let refused = client.ask(&set("k", &"w".repeat(101 - frame)));
    assert!(refused.contains("the line is longer than 100 bytes"), "{refused}");
    // Whether it comes at once or byte by byte.
    let whole = format!("{}\n", set("k", &"w".repeat(101 - frame)));
    for byte in whole.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.line(), refused);
    assert_eq!(client.ask(GET), format!(r#"{{"Ok":"{}"}}"#, "v".repeat(100 - frame)));
}

#[test]
fn a_key_or_value_of_as_many_bytes_as_allowed_is_served_and_one_byte_more_is_not() {
    let server = with(Limits { key_bytes: 4, value_bytes: 6, ..Limits::default() });
    converses(&mut server.connect(), "A key may have 4 bytes, and a value 6");
}

#[test]
fn one_connection_too_many_is_told_so_and_when_one_leaves_the_next_is_served() {
    let server = with(Limits { connections: 3, ..Limits::default() });
    let mut clients: Vec<Raw> = (0..3).map(|_| server.connect()).collect();
    for round in 1..=3 {
        for client in &mut clients {
            assert_eq!(client.ask(GET), NOTHING);
        }
        is_closed_with(&mut server.connect(), "too many connections");
        assert_eq!(stat(&mut clients[0], "connections_refused"), round);
        drop(clients.pop());
        until("its place is free", || stat(&mut clients[0], "connections") == 2);
        clients.push(server.connect());
    }
}

#[test]
fn there_are_no_more_jobs_than_allowed() {
    for jobs in [1, 2] {
        let pool = SharedQueueThreadPool::new(4).unwrap();
        let limits = Limits { jobs, ..Limits::default() };
        let server = Local::start_on(pool, Memory::default(), limits);
        let mut client = server.connect();
        until("all have begun", || stat(&mut client, "jobs") == jobs as u64);
        assert_eq!(stat(&mut client, "jobs_started"), jobs as u64);
    }
}

#[test]
fn a_request_that_does_not_arrive_in_time_is_told_so() {
    let server = with(Limits { request_time: SHORT, ..Limits::default() });
    let mut whole = server.connect();
    let mut half = server.connect();
    half.send(format!("{GET}\n{}", &GET[..10]));
    assert_eq!(half.line(), NOTHING);
    is_closed_with(&mut half, "took longer than 0.1 s to arrive");
    // A connection between two requests has all the time it wants.
    assert_eq!(whole.ask(GET), NOTHING);
    assert_eq!(stat(&mut whole, "connections_timed_out"), 1);
}

/// Its bytes keep coming, but its end does not.
#[test]
fn a_request_that_is_too_long_has_no_more_time_than_others() {
    let limits = Limits { request_bytes: 100, request_time: SHORT, ..Limits::default() };
    let server = with(limits);
    let mut client = server.connect();
    client.send([b'{'; 200]);
    let mut sender = client.stream().try_clone().unwrap();
    let drip = thread::spawn(move || {
        until("the server closes the connection", || sender.write_all(b"x").is_err());
    });
    is_closed_with(&mut client, "took longer than 0.1 s to arrive");
    drop(client);
    drip.join().unwrap();
}

/// A client whose socket takes little, so that what it does not read waits in the server.
fn small(server: &Local) -> Raw {
    let client = server.connect();
    set_socket_recv_buffer_size(client.stream(), 256 << 10).unwrap();
    client
}

/// More than a socket takes, on either side.
const LARGE: usize = 8 << 20;

fn with_large_value(limits: Limits) -> (Local, Raw) {
    let server = with(limits);
    let mut client = server.connect();
    assert_eq!(client.ask(&set("k", &"v".repeat(LARGE))), NOTHING);
    (server, client)
}

#[test]
fn a_client_that_takes_no_answer_is_closed() {
    let (server, mut other) = with_large_value(Limits { answer_time: SHORT, ..Limits::default() });
    let mut client = small(&server);
    client.send_line(GET);
    until("its time is over", || stat(&mut other, "connections_timed_out") == 1);
    until("it is closed", || stat(&mut other, "connections") == 1);
    assert!(client.line().len() < LARGE, "only a part was sent");
    assert_eq!(stat(&mut other, "bytes_buffered"), 0);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = with(Limits { idle_time: Some(SHORT), ..Limits::default() });
    assert_eq!(server.connect().line(), "");
}

#[test]
fn requests_in_part_beyond_the_memory_for_them_are_refused() {
    let server = with(Limits { buffered_bytes: 1 << 20, ..Limits::default() });
    let mut other = server.connect();
    let request = set("k", &"v".repeat(800 << 10));
    let (head, tail) = request.split_at(700 << 10);
    let mut first = server.connect();
    first.send(head);
    until("it has arrived", || stat(&mut other, "bytes_buffered") == head.len() as u64);
    let mut second = server.connect();
    // The server ends it in the middle.
    let mut sender = second.stream().try_clone().unwrap();
    let sender = thread::spawn(move || sender.write_all(&vec![b'{'; LARGE]));
    is_closed_with(&mut second, "no memory");
    drop(second);
    let _ = sender.join().unwrap();
    // A request of a usual size still has room, in pieces too.
    other.send(&GET[..10]);
    assert_eq!(other.ask(&GET[10..]), NOTHING);
    assert_eq!(first.ask(tail), NOTHING);
    // And now so has a large one.
    assert_eq!(server.connect().ask(&request), NOTHING);
    until("all is taken", || stat(&mut other, "bytes_buffered") == 0);
}

#[test]
fn answers_beyond_the_memory_for_them_close_their_connections() {
    let limits = Limits { buffered_bytes: 20 << 20, ..Limits::default() };
    let (server, mut other) = with_large_value(limits);
    let mut clients: Vec<Raw> = (0..20).map(|_| small(&server)).collect();
    for client in &mut clients {
        client.send_line(GET);
    }
    until("all have been served", || stat(&mut other, "requests") > 20);
    until("some are closed", || stat(&mut other, "bytes_buffered") <= 20 << 20);
    let lengths: Vec<usize> = clients.iter_mut().map(|client| client.line().len()).collect();
    let whole = lengths.iter().filter(|length| **length == r#"{"Ok":""}"#.len() + LARGE).count();
    assert!((1..20).contains(&whole), "{lengths:?}");
    // When they are taken there is room again.
    let mut next = server.connect();
    assert_eq!(next.ask(GET).len(), r#"{"Ok":""}"#.len() + LARGE);
}

/// As of a client that pipelines while the disk hangs.
#[test]
fn writes_that_are_not_done_take_memory_and_there_is_an_end_to_it() {
    let engine = Deferred::default();
    let server =
        Local::start(engine.clone(), Limits { buffered_bytes: 1 << 20, ..Limits::default() });
    let mut other = server.connect();
    let (length, count) = (64 << 10, 100);
    let mut writer = server.connect();
    let mut sender = writer.stream().try_clone().unwrap();
    let sender = thread::spawn(move || {
        for number in 0..count {
            let request = set(&number.to_string(), &"v".repeat(length)) + "\n";
            sender.write_all(request.as_bytes()).unwrap();
        }
    });
    // As many as make a mebibyte, alone or with what has arrived of the next one.
    let so_many = 15..=16;
    until("so many wait", || so_many.contains(&engine.waiting()));
    for _ in 0..A_WHILE {
        assert!(stat(&mut other, "bytes_buffered") < 2 << 20);
    }
    assert!(so_many.contains(&engine.waiting()));
    let mut next = server.connect();
    next.send("{".repeat(200 << 10));
    is_closed_with(&mut next, "no memory");
    let answers = thread::spawn(move || (0..count).all(|_| writer.line() == NOTHING));
    let mut random = StdRng::seed_from_u64(0);
    until("all are done", || {
        engine.finish_any(&mut random);
        answers.is_finished()
    });
    assert!(answers.join().unwrap());
    sender.join().unwrap();
    assert_eq!(stat(&mut other, "bytes_buffered"), 0);
}

/// Asks for something that waits, and has the engine do it.
fn ask_and_finish(engine: &Distant, client: &mut Raw, request: &str, key: &str) -> String {
    client.send_line(request);
    until("it is asked for", || engine.waiting() > 0);
    engine.finish(key);
    client.line()
}

#[test]
fn a_value_is_counted_from_when_it_is_found_until_it_is_answered() {
    let (engine, value) = (Distant::default(), "v".repeat(100_000));
    let pool = SharedQueueThreadPool::new(1).unwrap();
    let server = Local::start_on(pool, engine.clone(), Limits { jobs: 1, ..Limits::default() });
    let (mut client, mut other) = (server.connect(), server.connect());
    for key in ["k", AT_ONCE] {
        assert_eq!(ask_and_finish(&engine, &mut client, &set(key, &value), key), NOTHING);
    }
    assert_eq!(client.ask(&get(AT_ONCE)), found(&value));
    assert_eq!(stat(&mut other, "bytes_buffered"), 0);
    client.send_line(GET);
    until("it is asked for", || engine.waiting() > 0);
    // The turn is over: there is one loop.
    stat(&mut other, "bytes_buffered");
    engine.finish("k");
    assert_eq!(client.line(), found(&value));
    assert_eq!(stat(&mut other, "bytes_buffered"), 0);
}

#[test]
fn a_client_that_is_refused_sees_the_end_while_its_write_is_under_way() {
    let engine = Distant::default();
    // Twice as long in a request, and in an answer: more than there is memory for.
    let (escaped, buffered_bytes) = (r#"\""#.repeat(6 << 20), 13 << 19);
    let first = Local::start(engine.clone(), Limits::default());
    let set_large = set("k", &escaped);
    assert_eq!(ask_and_finish(&engine, &mut first.connect(), &set_large, "k"), NOTHING);
    let server = Local::start(engine.clone(), Limits { buffered_bytes, ..Limits::default() });
    let (mut client, mut other) = (small(&server), server.connect());
    client.send(format!("{GET}\n{}\n", set("under way", "v")));
    until("both are asked for", || engine.waiting() == 2);
    engine.finish("k");
    until("it is closed", || stat(&mut other, "connections") == 1);
    assert!(client.line().len() < escaped.len(), "only a part was sent");
    engine.finish("under way");
}

/// Of an engine that asks another machine. What one value has shown the next ones are taken to be.
#[test]
fn gets_that_wait_take_memory_and_there_is_an_end_to_it() {
    let engine = Distant::default();
    let limits = Limits { buffered_bytes: 1 << 20, ..Limits::default() };
    let server = Local::start(engine.clone(), limits);
    let (mut other, mut client) = (server.connect(), server.connect());
    let value = "v".repeat(300 << 10);
    assert_eq!(ask_and_finish(&engine, &mut client, &set("k", &value), "k"), NOTHING);
    assert_eq!(ask_and_finish(&engine, &mut client, GET, "k"), found(&value));
    // As many as make a mebibyte.
    client.send(format!("{}\n{}", get("first"), format!("{GET}\n").repeat(20)));
    until("so many wait", || engine.waiting() == 4);
    for _ in 0..A_WHILE {
        stat(&mut other, "bytes_buffered");
    }
    assert_eq!(engine.waiting(), 4);
    // The first answer is still missing, so these have to be kept, and there is no room for the last one.
    (0..3).for_each(|_| engine.finish("k"));
    let mut next = server.connect();
    next.send_line(GET);
    until("it is asked for", || engine.waiting() == 2);
    engine.finish("k");
    assert!(next.line().contains("no memory for the answer"));
    engine.finish("first");
    assert_eq!(client.line(), NOTHING);
    let answers = thread::spawn(move || (0..20).all(|_| client.line() == found(&value)));
    let mut random = StdRng::seed_from_u64(0);
    until("all are done", || {
        engine.finish_any(&mut random);
        answers.is_finished()
    });
    assert!(answers.join().unwrap());
    until("all is taken", || stat(&mut other, "bytes_buffered") == 0);
}

#[test]
fn requests_that_are_refused_are_counted() {
    let server = with(Limits::default());
    converses(&mut server.connect(), "Requests that are refused are counted");
}
