//! What `kvs` offers to those who use a server: requests from a pipe, a prompt, stats, a bench.

use crate::*;
use assert_cmd::assert::Assert;
use kvs_test_kit::engines::reads;
use predicates::str::{is_empty, is_match};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::io::{BufRead, BufReader};
use std::time::Instant;

/// What comes of these lines.
fn pipe(server: &Server, lines: impl Into<Vec<u8>>) -> Assert {
    kvs(&["client", "--addr", &server.addr.to_string()]).write_stdin(lines).assert()
}

fn bench(server: &Server, args: &[&str]) -> Assert {
    kvs(&["bench", "--addr", &server.addr.to_string()]).args(args).assert()
}

#[test]
fn every_help_has_an_example_and_the_first_shows_the_way() {
    let way = ["kvs server", "kvs client set", "kvs client get", "kvs client < ", "kvs stats"];
    for words in way.into_iter().chain(["kvs bench", "kvs check"]) {
        kvs(&["--help"]).assert().success().stdout(contains(words));
    }
    for command in [
        "server",
        "client",
        "client get",
        "client set",
        "client rm",
        "client cas",
        "client batch",
        "client len",
        "client keys",
        "stats",
        "bench",
        "check",
        "dump",
    ] {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let example = format!("    kvs {command}");
        kvs(&words).assert().success().stdout(contains("EXAMPLE").and(contains(example)));
    }
}

#[test]
fn an_address_may_be_a_name() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_at("localhost:0", Command::new(KVS).arg("server"), dir.path());
    let server = server.unwrap();
    let addr = format!("localhost:{}", server.addr.port());
    kvs(&["client", "--addr", &addr, "set", "k", "v"]).assert().success();
    kvs(&["client", "get", "k", "--addr", &addr]).assert().success().stdout("v\n");
    kvs(&["client", "--addr", &addr]).write_stdin("get k\n").assert().success().stdout("v\n");
    kvs(&["stats", "--addr", &addr]).assert().success().stdout(contains("keys 1\n"));
    kvs(&["bench", "--addr", &addr, "--requests", "10"]).assert().success();
    assert!(KvsClient::connect(&*addr).unwrap().get("k".to_owned()).unwrap().is_some());
}

#[test]
fn where_nobody_listens_one_is_asked_whether_a_server_is_running() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let message = format!("cannot connect to {addr} (is a server running there?)");
    for command in [&["client"][..], &["client", "get", "k"], &["stats"], &["bench"]] {
        kvs(command).args(["--addr", &addr]).assert().code(1).stderr(contains(&*message));
    }
}

/// A line each, whatever is in a value: nothing can be taken for something else.
#[test]
fn each_answer_is_a_line_of_json_where_that_is_asked_for() {
    let (server, _dir) = new_kvs_server(&[]);
    let addr = server.addr.to_string();
    let lines = "set a \"x\\ny\"\nset b Key not found\nget a\nget b\nget c\nrm c\n";
    kvs(&["client", "--json", "--addr", &addr]).write_stdin(lines).assert().failure().stdout(
        "{\"Ok\":null}\n{\"Ok\":null}\n{\"Ok\":\"x\\ny\"}\n{\"Ok\":\"Key not found\"}\n\
         {\"Ok\":null}\n{\"Err\":\"Key not found\"}\n",
    );
    let one = |words: &[&str]| kvs(&["client", "--addr", &addr, "--json"]).args(words).assert();
    one(&["get", "a"]).success().stdout("{\"Ok\":\"x\\ny\"}\n");
    one(&["rm", "c"]).code(1).stdout("{\"Err\":\"Key not found\"}\n").stderr("Key not found\n");
    pipe(&server, "stats\n").success().stdout(contains("\nkeys 2\n"));
}

#[test]
fn compare_and_set_batch_len_keys_and_the_dump_of_a_server_are_commands_too() {
    let (server, _dir) = new_kvs_server(&[]);
    let addr = server.addr.to_string();
    let one = |words: &[&str]| kvs(&["client", "--addr", &addr]).args(words).assert();
    let mismatch = "The value is not the expected one\n";
    one(&["cas", "a", "null", "1"]).success().stdout(is_empty());
    one(&["cas", "a", "null", "2"]).code(1).stdout(is_empty()).stderr(mismatch);
    one(&["cas", "a", "1", "2"]).success();
    one(&["batch", r#"[["b","x y"],["c",null]]"#]).success();
    one(&["batch", r#"["b"]"#]).code(1).stderr(contains("not an array of [KEY, VALUE]"));
    one(&["len"]).success().stdout("2\n");
    one(&["keys"]).success().stdout("a\nb\n");
    one(&["keys", "--json"])
        .success()
        .stdout("{\"Keys\":{\"keys\":[\"a\",\"b\"],\"cursor\":null}}\n");
    let lines = "cas b \"x y\" z\ncas a 2 null\nbatch [[\"d\",\"\"]]\nrm d\nlen\nkeys\n";
    pipe(&server, lines).success().stdout("1\nb\n");
    let dump = kvs(&["dump", "--addr", &addr]).assert().success().stderr("1 keys\n");
    dump.stdout("{\"Set\":{\"key\":\"b\",\"value\":\"z\"}}\n");
}

#[test]
fn lines_from_a_pipe_are_done_in_order_and_one_that_fails_is_named_and_passed_over() {
    let good = "set a 1\nset b two words\nget a\nget b\nget c\n\nrm a\nget a\nset \"\" \"x\\ny\"\nget \"\"";
    let found = "1\ntwo words\nKey not found\nKey not found\nx\ny\n";
    let bad = b"set a 1\nrm c\nfly\n\xff\nget\nget a\n";
    let messages = "line 2: Key not found\nline 3: `fly` is no command; `help` lists them\n\
                    line 4: invalid utf-8 sequence of 1 bytes from index 0\n\
                    line 5: a key is missing\n4 of 6 lines failed\n";
    let (server, _dir) = new_kvs_server(&[]);
    for (lines, stdout, stderr) in [
        (good.as_bytes(), found, ""),
        (b"", "", ""),
        (bad, "1\n", messages),
        // As they end on other systems.
        (b"set a 1\r\nget a\r\nset b 2\r", "1\n", ""),
        (b"get a\n get b\n", "1\n2\r\n", ""),
    ] {
        let code = if stderr.is_empty() { 0 } else { 1 };
        pipe(&server, lines).code(code).stdout(stdout).stderr(stderr);
    }
    let help = pipe(&server, "stats\nhelp\nquit\nfly\n").success();
    help.stdout(contains("keys 3\n").and(contains("set KEY VALUE")));
}

#[test]
fn a_line_without_end_is_refused_at_the_servers_limit() {
    for (limit, bytes) in [("1M", Some(1 << 20)), ("16M", Some(16 << 20)), ("32M", None)] {
        let (server, _dir) = new_kvs_server(&["--max-request", limit, "--max-value", "32M"]);
        let mut child = spawn(&["client"], server.addr);
        let (mut input, output) = (child.stdin.take().unwrap(), child.stderr.take().unwrap());
        let (message, messages) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                let _ = message.send(line);
            }
        });
        input.write_all(format!("set k 1\nset k {}", "v".repeat(20 << 20)).as_bytes()).unwrap();
        if let Some(bytes) = bytes {
            let message = messages.recv_timeout(WATCHDOG).unwrap();
            assert_eq!(message, format!("line 2: longer than {bytes} bytes, the server's limit"));
        }
        input.write_all(b"v\nget k\n").unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.success(), bytes.is_none());
        assert_eq!(output.stdout.len(), if bytes.is_some() { 2 } else { (20 << 20) + 2 });
    }
}

/// Whoever writes may wait for an answer before the next line.
#[test]
fn a_line_is_done_before_the_next_one_is_waited_for() {
    let (server, _dir) = new_kvs_server(&[]);
    let mut child = spawn(&["client"], server.addr);
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut output = BufReader::new(output).lines();
    for n in 0..3 {
        writeln!(input, "set k {n}\nget k").unwrap();
        assert_eq!(output.next().unwrap().unwrap(), n.to_string());
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_pipe_to_a_server_that_goes_away_fails_with_the_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
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

#[test]
fn stats_are_printed_a_line_a_figure() {
    // sled counts no keys.
    for (engine, figure) in [("kvs", "keys 2\n"), ("sled", "disk_bytes [1-9]")] {
        let (server, _dir) = new_kvs_server(&["--engine", engine]);
        pipe(&server, "set a 1\nset b 2\n").success();
        let stats = kvs(&["stats", "--addr", &server.addr.to_string()]).assert().success();
        let lines = is_match("^([a-z_]+ [0-9]+\n)+$").unwrap();
        stats.stdout(lines.and(is_match(figure).unwrap()));
    }
}

#[test]
fn a_bench_counts_reads_writes_and_errors() {
    let (server, _dir) = new_kvs_server(&[]);
    let both = is_match("reads +[0-9]+ .*\nwrites +[0-9]+ .*\nerrors +0\n").unwrap();
    bench(&server, &["--requests", "1001", "--read-ratio", "0.5", "--pipeline", "10"])
        .success()
        .stdout(contains("in a closed loop").and(contains("1001 requests in")).and(both))
        .stderr(is_empty());
    let reads = is_match("reads +100 ").unwrap().and(contains("writes").not());
    bench(&server, &["--requests", "100", "--read-ratio", "1", "--clients", "3"])
        .success()
        .stdout(reads);
    let writes = is_match("writes +100 ").unwrap().and(contains("reads").not());
    let args = ["--read-ratio", "0", "--value-size", "64K", "--keys", "10", "--connect-each"];
    bench(&server, &["--requests", "100"]).success();
    bench(&server, &[&args[..], &["--requests", "100"]].concat()).success().stdout(writes);
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
fn an_open_loop_that_its_server_does_not_keep_up_with_ends_and_counts_what_it_has_not_sent() {
    let (server, _dir) = new_kvs_server(&[]);
    let args = ["--rate", "10000000", "--requests", "1000000"];
    bench(&server, &args).success().stdout(contains("it did not keep up"));
    let output = bench(&server, &[&args[..], &["--json"]].concat()).success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let number = |name: &str| report[name].as_f64().unwrap();
    assert!(number("unsent") > 0.0 && number("answered") + number("unsent") == 1e6, "{report}");
    assert!(number("late_max_us") >= 1.1e6, "what is due first waits until the end: {report}");
    assert!(number("rate_per_s") < number("rate_asked_per_s"), "{report}");
}

#[test]
fn a_bench_adds_a_line_to_a_table_which_has_the_names_of_its_json() {
    let (server, dir) = new_kvs_server(&[]);
    let file = dir.path().join("table");
    let addr = server.addr.to_string();
    for clients in ["1", "2"] {
        let table = File::options().append(true).create(true).open(&file).unwrap();
        let mut bench = Command::new(KVS);
        bench.args(["bench", "--addr", &addr, "--requests", "9", "--csv", "--clients", clients]);
        assert!(bench.stdout(table).status().unwrap().success());
    }
    let json = bench(&server, &["--requests", "9", "--json"]).success();
    let json: BTreeMap<String, Value> = serde_json::from_slice(&json.get_output().stdout).unwrap();
    let table = read_to_string(file).unwrap();
    let mut rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = rows.next().unwrap();
    assert_eq!(
        names.iter().map(|name| name.to_string()).collect::<BTreeSet<_>>(),
        json.into_keys().collect()
    );
    let clients = names.iter().position(|name| *name == "clients").unwrap();
    let rows: Vec<_> = rows.map(|row| (row.len(), row[clients])).collect();
    assert_eq!(rows, [(names.len(), "1"), (names.len(), "2")]);
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
