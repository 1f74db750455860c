//! The program `kvs`, where no session in `sessions/` shows what it does.

use crate::*;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::is_match;
use serde_json::Value;

#[test]
fn a_cluster_that_is_not_there_or_not_built_in_is_no_engine() {
    let dir = TempDir::new().unwrap();
    let mut server = kvs(&["server", "--engine", "redis-cluster"]);
    server.args(["--nodes", "127.0.0.1:1,127.0.0.1:2", "--dir"]).arg(dir.path());
    let built = if cfg!(feature = "cluster") { "Connection refused" } else { "--features cluster" };
    server.timeout(WATCHDOG).assert().code(1).stderr(contains(built));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_text_in_sled_is_named_and_left_out() {
    let dir = TempDir::new().unwrap();
    SledKvsEngine::open(dir.path()).unwrap().set("good".to_owned(), "v".to_owned()).unwrap();
    let db = sled::open(dir.path().join("sled")).unwrap();
    db.insert("bad", &[0xff]).unwrap();
    db.flush().unwrap();
    drop(db);
    let dumped = kvs(&["dump"]).arg(dir.path()).assert().failure();
    let dumped = dumped.stdout(set("good", "v") + "\n");
    dumped
        .stderr(contains("the key \"bad\" or its value is no UTF-8 text").and(contains("1 more")));
}

#[test]
fn a_pipe_to_a_server_that_goes_away_fails_with_the_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let mut client = Raw::accept(&listener);
        for answer in [NOTHING, r#"{"Ok":"1"}"#] {
            client.line();
            client.send_line(answer);
        }
    });
    let lines = "set a 1\nget a\nset b 2\nset c 3\n";
    let assert = kvs(&["client", "--addr", &addr]).write_stdin(lines).assert();
    let lost = "line 3, and nobody knows what was done from there on: ";
    assert.failure().code(1).stdout("1\n").stderr(contains(lost));
    server.join().unwrap();
}

/// What a bench reports whose first answer is held back while this happens, and for how many microseconds it is.
fn held_back(args: &[&str], meanwhile: impl FnOnce()) -> (f64, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let args = [&["bench", "--requests", "100", "--clients", "1", "--json"], args].concat();
    let bench = spawn(&args, listener.local_addr().unwrap());
    let mut held = 0.0;
    // The first connection is that of the one key.
    for (requests, meanwhile) in [(1, None), (100, Some(meanwhile))] {
        let mut client = Raw::accept(&listener);
        client.line();
        if let Some(meanwhile) = meanwhile {
            let since = Instant::now();
            meanwhile();
            held = since.elapsed().as_micros() as f64;
        }
        client.send_line(NOTHING);
        for _ in 1..requests {
            client.line();
            client.send_line(NOTHING);
        }
    }
    (held, serde_json::from_slice(&bench.wait_with_output().unwrap().stdout).unwrap())
}

/// As Gil Tene has it: what is due while a server stalls waits for the stall's end, though it is sent after that.
#[test]
fn all_that_is_due_during_a_stall_is_late_in_an_open_loop_and_in_a_closed_one_a_single_request() {
    let writes = ["--keys", "1", "--read-ratio", "0"];
    let mut closed = (0.0, Value::Null);
    // All are due within a tenth of a millisecond.
    let (held, open) = held_back(&[&writes[..], &["--rate", "1000000"]].concat(), || {
        closed = held_back(&writes, || drop(kvs(&["--help"]).assert().success()));
    });
    let micros = |report: &Value, name: &str| report[name].as_f64().unwrap();
    assert!(micros(&open, "writes_p50_us") >= held - 100.0, "{held} {open}");
    assert!(micros(&open, "late_p50_us") >= held - 100.0, "{held} {open}");
    let (held, closed) = closed;
    assert!(micros(&closed, "writes_max_us") >= held, "{held} {closed}");
    assert!(micros(&closed, "writes_p50_us") < held, "{held} {closed}");
}

#[test]
fn a_bench_finds_values_that_are_wrong() {
    let server = Local::start(reads(|_| Ok(Some("wrong".to_owned()))), Limits::default());
    let addr = server.addr.to_string();
    kvs(&["bench", "--addr", &addr, "--requests", "50", "--read-ratio", "1"])
        .assert()
        .failure()
        .stdout(is_match("errors +50\n").unwrap())
        .stderr("the first error: a key had not the value it was given\n");
}
