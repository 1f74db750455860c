//! The program `kvs`: server and client in one.

use crate::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn it_prints_the_version_that_all_programs_have() {
    for command in ["", "server", "client", "client get", "stats", "bench", "check"] {
        let name = format!("kvs {command}").trim_end().replace(" ", "-");
        let version = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        kvs(&[]).args(command.split_whitespace()).arg("-V").assert().success().stdout(version);
    }
}

/// The client in Python, as it is printed there, but for the port.
#[test]
fn the_client_that_the_readme_shows_gets_what_it_has_set() {
    let readme = include_str!("../../../README.md");
    let (_, code) = readme.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let (server, _dir) = new_kvs_server(&[]);
    let code = code.replace("4000", &server.addr.port().to_string());
    match Command::new("python3").args(["-c", &code]).output() {
        Ok(output) => assert_eq!(output.stdout, b"crab\n", "{output:?}"),
        Err(error) => eprintln!("skipped: there is no python3: {error}"),
    }
}

#[test]
fn an_argument_that_is_no_text_is_refused_unless_it_is_a_path() {
    let no_text = OsStr::from_bytes(b"caf\xe9");
    for command in [&["client", "get"][..], &["client", "set", "k"]] {
        let refused = kvs(command).arg(no_text).assert().failure().code(1);
        refused.stderr("\"caf\\xE9\" is not UTF-8\n");
    }
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(no_text);
    Server::start(Command::new(KVS).arg("server"), &path).unwrap().terminate();
    kvs(&["check"]).arg(&path).assert().success();
}

/// Starts a server, sets a key, and kills it.
fn a_store_that_was_killed(args: &[&str]) -> TempDir {
    let (mut server, dir) = new_kvs_server(args);
    let mut client = KvsClient::connect(server.addr).unwrap();
    for number in 0..10 {
        client.set(format!("key{number}"), "value".to_owned()).unwrap();
    }
    server.kill();
    dir
}

#[test]
fn check_reports_and_changes_nothing_and_refuses_damage() {
    let dir = a_store_that_was_killed(&["--durability", "always"]);
    let check = || kvs(&["check"]).arg(dir.path()).assert();
    check().success().stdout(contains("1 segments, 10 records").and(contains("10 keys")));
    check().success().stdout(contains("10 keys"));
    // Not even the file is made that says whose directory it is.
    std::fs::remove_file(dir.path().join("engine")).unwrap();
    check().success().stdout(contains("10 keys"));
    assert!(!dir.path().join("engine").exists());
    std::fs::write(dir.path().join("engine"), "sled\n").unwrap();
    check().failure().stderr(contains("`sled`"));
    std::fs::write(dir.path().join("engine"), "").unwrap();
    check().success().stdout(contains("10 keys"));
    assert_eq!(std::fs::read(dir.path().join("engine")).unwrap(), b"");
    let path = dir.path().join("0000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    check().failure().stderr(contains("0000000001.seg: damaged at byte 44"));

    let (before, new) = (content(dir.path()), TempDir::new().unwrap());
    let salvage = || kvs(&["check", "--salvage", "--to"]).args([new.path(), dir.path()]).assert();
    let saved = salvage().failure().stdout(contains("10 records are saved, 10 keys"));
    let saved =
        saved.stdout(contains("0000000001.seg: at byte 44, 0 bytes lost: a bit was flipped"));
    saved.stderr(contains("not as it should be: 1 places"));
    assert_eq!(content(dir.path()), before);
    salvage().failure().stderr(contains("is not empty"));
    let store = KvStore::open(new.path()).unwrap();
    assert_eq!(store.get("key1".to_owned()).unwrap().unwrap(), "value");
    kvs(&["check", "--salvage"]).arg(dir.path()).assert().failure().stderr(contains("--to"));
    kvs(&["check", "/nowhere"]).assert().failure().stderr(contains("/nowhere"));
}

/// As after the end of the process between the manifest of a compaction and the removal of what it
/// replaced.
#[test]
fn segments_that_the_manifest_does_not_name_are_listed_and_a_start_says_which_it_removes() {
    let dir = a_store_that_was_killed(&[]);
    let path = |number| dir.path().join(format!("000000000{number}.seg"));
    let replaced = std::fs::read(path(1)).unwrap();
    KvStore::open(dir.path()).unwrap().compact().unwrap();
    std::fs::write(path(1), &replaced).unwrap();
    // What a rotation has begun, and nothing came of.
    std::fs::write(path(4), &replaced[..7]).unwrap();
    let check = || kvs(&["check"]).arg(dir.path()).assert().success();
    let unnamed = "records in a segment that the manifest does not name";
    let listed = |file| contains(format!("{file} {unnamed}"));
    check().stdout(listed("1.seg: 10").and(listed("4.seg: 0")));
    let (_, log) = kvs_server(&[], &dir).terminate();
    assert!(log.contains("0000000001.seg: removed with 10 records"), "{log}");
    assert!(!log.contains("0000000004.seg"), "{log}");
    assert!(!path(1).exists() && !path(4).exists());
    check().stdout(contains(unnamed).not());
}

#[test]
fn the_level_of_durability_is_said_at_start() {
    for (args, message) in [
        (&[][..], "durability: interval=100: "),
        (&["--durability", "always"], "always: acknowledged writes survive power losses"),
        (&["--durability", "interval=5", "--spare-garbage", "1"], "durability: interval=5: "),
        (&["--engine", "sled"], "durability: os: "),
    ] {
        let (server, _dir) = new_kvs_server(args);
        assert!(server.log().contains(message), "{}", server.log());
    }
}

#[test]
fn options_that_make_no_sense_are_refused_before_anything_is_made() {
    let cluster = "`--engine redis-cluster` and `--nodes HOST:PORT,...` go together";
    let built = if cfg!(feature = "cluster") { "Connection refused" } else { "--features cluster" };
    let dir = TempDir::new().unwrap();
    for (args, message) in [
        ("bench --clients 0", "no number from 1 to 10000"),
        ("bench --clients 20000", "no number from 1 to 10000"),
        ("bench --requests 0", "no number from 1 on"),
        ("bench --keys 0", "no number from 1 to 4294967295"),
        ("bench --pipeline 0", "no number from 1 to 100000"),
        ("bench --pipeline 4000000000", "no number from 1 to 100000"),
        ("bench --read-ratio 1.5", "no number from 0 to 1"),
        ("bench --read-ratio NaN", "no number from 0 to 1"),
        ("bench --rate 0", "no number of requests a second"),
        ("bench --rate NaN", "no number of requests a second"),
        ("bench --value-size -1", "wasn't expected"),
        ("bench --value-size 4G", "is more than"),
        ("bench --value-size 18446744073709551615", "is more than"),
        ("bench --connect-each --pipeline 2", "cannot be used with"),
        ("bench --json --csv", "cannot be used with"),
        ("server --threads many", "`many` is no number from 1 to 1024"),
        ("server --pool rayon --threads 100000", "from 1 to 1024"),
        ("server --pool queue --threads 20000", "from 1 to 1024"),
        ("server --pool naive --threads 1025", "from 1 to 1024"),
        ("server --engine sled --durability always", "its durability is `os` and not `always`"),
        ("server --durability sometimes", "durability"),
        ("server --durability interval=0", "durability"),
        ("server --durability interval=", "durability"),
        ("server --durability always=1", "durability"),
        ("server --spare-garbage 0", "`0` is no number from 1 to 1000000"),
        ("server --spare-garbage 64M", "`64M` is no number from 1"),
        ("server --engine sled --spare-garbage 4", "`--spare-garbage` is for the engine kvs"),
        ("server --engine redis-cluster", cluster),
        ("server --engine kvs --nodes 127.0.0.1:1", cluster),
        ("server --engine redis-cluster --nodes 127.0.0.1:1,127.0.0.1:2", built),
    ] {
        let mut command = kvs(&[]);
        command.args(args.split(' ')).timeout(WATCHDOG);
        if args.starts_with("server") {
            command.args(["--addr", "127.0.0.1:0", "--dir"]).arg(dir.path());
        }
        // What an engine lacks is said in a sentence.
        let is_named = |word: &&str| word.starts_with("--") && !args.contains("--engine");
        let option = args.split(' ').rfind(is_named).unwrap_or_default();
        command.assert().code(1).stderr(contains(message).and(contains(option)));
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_server_that_cannot_have_its_address_makes_no_store() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for engine in ["kvs", "sled"] {
        let dir = TempDir::new().unwrap();
        let mut server = kvs(&["server", "--engine", engine, "--addr", &addr, "--dir"]);
        let refused = server.arg(dir.path().join("new")).timeout(WATCHDOG).assert().code(1);
        refused.stderr(contains(format!("cannot listen on {addr}: Address already in use")));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
