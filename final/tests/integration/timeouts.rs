//! What a server does with its threads: they sleep when there is nothing to do, and a client that has little to ask
//! does not wait for those that keep them busy. (Which client is late is decided without a socket:
//! `server/state.rs` and `server/watchdog.rs` have the tests of it.)

use crate::*;
use kvs_test_kit::engines::played;
use kvs_test_kit::process::cpu_time;

/// A thread that looked again and again would take most of a processor.
#[test]
fn a_server_that_has_nothing_to_do_sleeps() {
    let (server, _dir) = new_kvs_server(&["--request-timeout", "1"]);
    sleeps_until_one_is_late(&server, server.connect());
}

/// The system says then that it has none, whether or not there is a client to accept.
#[test]
fn a_server_that_is_out_of_descriptors_sleeps() {
    let dir = TempDir::new().unwrap();
    let mut command = limited("-n 40", "server");
    let server = Server::start(command.args(["--request-timeout", "1"]), dir.path()).unwrap();
    let mut clients: Vec<_> = std::iter::from_fn(|| {
        let mut client = server.connect();
        (client.try_ask(GET) == NOTHING).then_some(client)
    })
    .collect();
    sleeps_until_one_is_late(&server, clients.pop().unwrap());
}

fn sleeps_until_one_is_late(server: &Server, mut half: Raw) {
    half.send(&GET[..10]);
    let (began, before) = (Instant::now(), cpu_time(server.pid()));
    assert!(before > Duration::ZERO, "the system does not tell");
    let end = half.line();
    let taken = cpu_time(server.pid()).saturating_sub(before);
    let share = taken.div_duration_f64(began.elapsed());
    assert!(end.contains("took longer"), "{end}");
    assert!(share < 0.03, "while it waited for one client it took {share} of a processor");
}

/// Half of them belong to the loop that is held up, and so does one that was there before, with a write
/// that is not done and a request half-way.
fn who_shares_a_loop_with_a_held_up_request_is_served_by_another<P: ThreadPool + Send + 'static>() {
    let (gate, passed) = (Gate::default(), Gate::default());
    let gates = [gate.clone(), passed.clone()];
    passed.open();
    let engine = reads(move |key| {
        gates[usize::from(key != "held")].pass();
        Ok(Some(key))
    });
    let limits = Limits { jobs: 2, ..Limits::default() };
    let server = Local::start_on(P::new(2).unwrap(), engine, limits);
    let mut clients: Vec<Raw> = (0..10).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(SET), NOTHING);
        client.send(&GET[..10]);
    }
    let mut held_up = server.connect();
    held_up.send_line(&get("held"));
    gate.wait_for(1);
    // Again and again, so that one that was served once is not lost later.
    for _ in 0..3 {
        for mut client in (0..10).map(|_| server.connect()) {
            client.send(&GET[..10]);
            clients.push(client);
        }
        for client in &mut clients {
            assert_eq!(client.ask(&GET[10..]), found("k"));
            client.send(format!("{SET}\n{}", &GET[..10]));
            assert_eq!(client.line(), NOTHING);
        }
    }
    assert_eq!(gate.waiting(), 1, "the other one is still held up");
    gate.open();
    assert_eq!(held_up.line(), found("held"));
    for client in &mut clients {
        assert_eq!(client.ask(&GET[10..]), found("k"));
    }
}

on_each_pool!(who_shares_a_loop_with_a_held_up_request_is_served_by_another);

/// How many writes a flood has, which arrive together.
const FLOOD: usize = 600;

#[test]
fn reads_do_not_wait_for_the_end_of_a_flood_of_slow_writes_on_each_thread() {
    let (gate, done) = (Gate::default(), Arc::<[AtomicUsize; 2]>::default());
    let (passed, counted) = (gate.clone(), Arc::clone(&done));
    // It is slow, and the first ones wait at a gate.
    let slow = move |key: String, _| {
        passed.pass();
        thread::sleep(Duration::from_millis(1));
        counted[key.parse::<usize>().unwrap()].fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    // It tells how many were done for the key that has most.
    let get = move |_| {
        let done = done.iter().map(|done| done.load(Ordering::SeqCst));
        Ok(done.max().map(|most| most.to_string()))
    };
    let engine = played(get, slow);
    let server = Local::start(engine, Limits { jobs: 2, ..Limits::default() });
    let mut floods: Vec<Raw> = (0..2).map(|_| server.connect()).collect();
    for (number, flood) in floods.iter_mut().enumerate() {
        flood.send((set(&number.to_string(), "v") + "\n").repeat(FLOOD));
    }
    gate.wait_for(2);
    let mut reader = server.connect();
    reader.send_line(GET);
    gate.open();
    reader.line();
    // The first may have been found by a look that comes but once.
    let answer = (0..3).map(|_| reader.ask(GET)).last().unwrap();
    let most = answer.strip_prefix(r#"{"Ok":""#).unwrap().strip_suffix(r#""}"#).unwrap();
    let most: usize = most.parse().unwrap();
    assert!(most < FLOOD, "one of four reads has waited for a whole flood");
    for flood in &mut floods {
        assert!((0..FLOOD).all(|_| flood.line() == r#"{"Ok":null}"#));
    }
}
