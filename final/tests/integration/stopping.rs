//! How a server ends that has something to do.

use crate::*;
use kvs_test_kit::raw::GET_LARGE;
use kvs_test_kit::sigterm::with_large_value;
use std::net::Shutdown;

/// What the answer to `GET_LARGE` has beside the value.
const FRAME: usize = r#"{"Ok":""}"#.len();

/// A connection whose socket takes little, and that has asked for the large value and not read it.
pub(crate) fn reads_later(server: &Server) -> Raw {
    let mut client = server.connect();
    set_socket_recv_buffer_size(client.stream(), 64 << 10).unwrap();
    client.send_line(GET_LARGE);
    client.wait_for_more();
    client
}

#[test]
fn an_answer_that_is_under_way_is_delivered_whole() {
    // What waits in the server, and what waits in its sockets only.
    for (length, is_kept) in [(6 << 20, true), (300 << 10, false)] {
        let dir = TempDir::new().unwrap();
        let server = with_large_value(KVS, length, &[], &dir);
        let mut other = server.connect();
        let mut clients = [reads_later(&server), reads_later(&server)];
        until("what can be sent is", || (stat(&mut other, "bytes_buffered") > 0) == is_kept);
        drop(other);
        server.signal("-TERM");
        nobody_listens(server.addr);
        // One goes on sending, to a server that takes no more. If it closed the connection with a request
        // in it, the system would take back the answers in its sockets, also a while later.
        for _ in 0..if is_kept { 1 } else { 30 } {
            clients[1].send("{\"Get\"");
            thread::sleep(Duration::from_millis(50));
        }
        // The server gives them five seconds: they read at once, and as much as they can.
        thread::scope(|scope| {
            for client in &mut clients {
                set_socket_recv_buffer_size(client.stream(), 4 << 20).unwrap();
                scope.spawn(|| {
                    assert_eq!(client.line().len(), length + FRAME);
                    assert_eq!(client.line(), "", "it is closed");
                });
            }
        });
        drop(clients);
        assert_eq!(server.end().0.code(), Some(0));
    }
}

/// The first one tells it to stop, while a client is in the midst of its answer. A terminal that is closed may send SIGHUP
/// twice, and a service manager sends it after SIGTERM.
#[test]
fn a_second_signal_ends_it_at_once_and_sighup_does_not() {
    for (first, number, second, code) in [
        ("-TERM", 15, "-TERM", 128 + 15),
        ("-TERM", 15, "-INT", 128 + 2),
        ("-HUP", 1, "-HUP", 0),
        ("-INT", 2, "-HUP", 0),
        ("-TERM", 15, "-HUP", 0),
    ] {
        let dir = TempDir::new().unwrap();
        let server = with_large_value(KVS, 15 << 20, &[], &dir);
        let mut waits = reads_later(&server);
        server.signal(first);
        nobody_listens(server.addr);
        server.signal(second);
        if code == 0 {
            set_socket_recv_buffer_size(waits.stream(), 4 << 20).unwrap();
            assert_eq!(waits.line().len(), (15 << 20) + FRAME, "{first} and {second}");
            waits.stream().shutdown(Shutdown::Both).unwrap();
        }
        let (status, log) = server.end();
        assert_eq!(status.code(), Some(code), "{first} and {second}: {log}");
        if code == 0 {
            assert!(log.contains(&format!("signal {number}: stopping")), "{log}");
            assert!(log.ends_with("stopped\n"), "{log}");
        }
    }
}

/// Many of each connection, which nobody has read when the server is told to stop.
#[test]
fn requests_that_have_arrived_are_answered_before_it_ends() {
    let (engine, gate) = gated();
    let pool = SharedQueueThreadPool::new(1).unwrap();
    let mut server = Local::start_on(pool, engine, Limits { jobs: 1, ..Limits::default() });
    let mut clients: Vec<Raw> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(SET), NOTHING);
    }
    let mut busy = server.connect();
    busy.send_line(GET_LARGE);
    gate.wait_for(1);
    let count = 500;
    for client in &mut clients {
        client.send(format!("{SET}\n").repeat(count));
    }
    server.begin_stop();
    // Long enough for another server to do a lot: this one looks at its connections meanwhile.
    let other = Local::start(gated().0, Limits::default());
    let mut witness = other.connect();
    for _ in 0..200 {
        assert_eq!(witness.ask(SET), NOTHING);
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
    client.send_line(&(set("a", "1") + "\n" + &set("b", "2")));
    let mut other = server.connect();
    until("both wait", || engine.waiting() == 2);
    assert_eq!(stat(&mut other, "connections"), 2);
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
    client.send_line(SET);
    until("it waits", || engine.waiting() == 1);
    server.stop();
    assert_eq!(client.line(), "", "it is closed without an answer");
    // Who comes too late finds nobody to tell, and that is all.
    engine.finish("k");
}
