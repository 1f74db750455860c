//! `kvs dump` and `kvs restore`; and copies of a store that is in use, made as `final/README.md` says: its
//! manifest before its segments.

use crate::{KVS, kvs, kvs_server, new_kvs_server};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, SledKvsEngine};
use kvs_test_kit::environment::{is_injected, pick};
use kvs_test_kit::files::content;
use kvs_test_kit::raw::set;
use kvs_test_kit::wait::until;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Keys and values of all sorts, some overwritten and some removed, in several segments.
fn write(store: &impl KvsEngine) {
    for number in 0..300 {
        store.set(format!("key{}", number % 100), format!("\"{number}\"\n\u{1}\u{9b}é🦀")).unwrap();
    }
    for number in 0..50 {
        store.remove(format!("key{number}")).unwrap();
    }
    store.set(String::new(), String::new()).unwrap();
    store.set("long".to_owned(), "\0".repeat(1 << 20)).unwrap();
}

fn dump(dir: &Path) -> Vec<String> {
    let dumped = kvs(&["dump"]).arg(dir).assert().success().stderr("52 keys\n");
    let text = String::from_utf8(dumped.get_output().stdout.clone()).unwrap();
    assert!(!text.contains('\u{9b}'), "a terminal would obey it");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn what_is_dumped_is_restored_from_and_to_each_engine_and_through_a_server() {
    let dir = TempDir::new().unwrap();
    let [ours, sled, again] = ["ours", "sled", "again"].map(|name| dir.path().join(name));
    let store = KvStoreOptions::new().segment_bytes(10_000).background(false).open(&ours).unwrap();
    write(&store);
    store.compact().unwrap();
    store.set("key99".to_owned(), "newest".to_owned()).unwrap();
    drop(store);
    let before = content(&ours);
    let lines = dump(&ours);
    assert_eq!(content(&ours), before, "it only reads");
    assert_eq!(lines.iter().filter(|line| **line == set("key99", "newest")).count(), 1);
    assert_eq!(lines.len(), 52);

    let restore = |options: &[&str]| {
        let text = lines.join("\n");
        let done = kvs(&["restore"]).args(options).write_stdin(text).assert();
        done.success().stdout("52 keys are restored\n");
    };
    restore(&["--engine", "sled", sled.to_str().unwrap()]);
    assert_eq!(dump(&sled), lines);
    restore(&[again.to_str().unwrap()]);
    assert_eq!(dump(&again), lines);

    let (mut server, dir) = new_kvs_server(&[]);
    kvs(&["dump"]).arg(dir.path()).assert().failure().stderr(contains("in use"));
    restore(&["--addr", &server.addr.to_string()]);
    server.kill();
    assert_eq!(dump(dir.path()), lines);
}

#[test]
fn a_dump_holds_no_more_than_a_value_at_a_time() {
    let dir = TempDir::new().unwrap();
    let store = KvStore::open(dir.path()).unwrap();
    for number in 0..20 {
        store.set(format!("key{number}"), "v".repeat(2 << 20)).unwrap();
    }
    drop(store);
    let script = r#"ulimit -v 40000; "$0" dump "$1" | wc -l"#;
    let output = Command::new("sh").args(["-c", script, KVS]).arg(dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "20 keys\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "20");
}

#[test]
fn a_foreign_line_is_named_and_what_is_before_it_stays() {
    let (a, b) = (set("a", "1"), set("b", "2"));
    for bad in
        [&b[..b.len() - 1], "a,1", r#"{"Get":{"key":"a"}}"#, r#"{"key":"a","value":"1"}"#, ""]
    {
        let dir = TempDir::new().unwrap();
        let new = dir.path().join("new");
        let restore = |text: String, options: &[&str]| {
            kvs(&["restore"]).args(options).write_stdin(text).assert().failure().stdout(is_empty())
        };
        let new_dir = [new.to_str().unwrap()];
        restore(format!("{bad}\n{a}\n"), &new_dir).stderr(contains("line 1, nothing is restored"));
        assert!(!new.exists());
        restore(format!("{a}\n{b}\n{bad}\n"), &new_dir)
            .stderr(contains("line 3, the lines before"));
        assert_eq!(KvStore::open(&new).unwrap().get("b".to_owned()).unwrap().unwrap(), "2");
        restore(a.clone(), &new_dir).stderr(contains("is not empty"));

        let server = kvs_server(&["--max-value", "1"], &dir);
        let addr = server.addr.to_string();
        let through = |text: String| restore(text, &["--addr", &addr]);
        through(format!("{a}\n{b}\n{bad}\n")).stderr(contains("line 3, the lines before"));
        let refused = through(format!("{a}\n{}\n{b}\n", set("c", "22")));
        refused.stderr(contains("line 2, the lines before").and(contains("the value is 2 bytes")));
    }
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

/// Of each store.
const COPIES: usize = 10;
const KEYS: usize = 40;

/// Each key is set twice and then removed, again and again; but the first one is never removed.
fn value(number: usize) -> Option<String> {
    let value = || format!("{number} {}", "v".repeat(number % 90));
    (number / KEYS % 3 < 2 || number.is_multiple_of(KEYS)).then(value)
}

/// Whether the copy holds what so many writes make, for one of these numbers of writes.
fn is_a_moment(copy: &KvStore, least: usize, most: usize) -> bool {
    let found = (0..KEYS).map(|key| copy.get(key.to_string()).unwrap());
    let (found, mut model) = (found.collect::<Vec<_>>(), vec![None; KEYS]);
    (least - KEYS..most).any(|number| {
        model[number % KEYS] = value(number);
        number + 1 >= least && model == found
    })
}

fn sh(script: &str, from: &Path, to: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args([from, to]).stderr(Stdio::null());
    // It fails if a segment vanishes; what was copied must not be taken for a store then.
    command.status().unwrap();
}

/// Copies the store in `dir` some times while it is written to. Returns how many copies were refused.
fn copy_under_load(store: &KvStore, dir: &Path) -> Result<usize, String> {
    // `SeqCst`: what is counted was acknowledged.
    let (writes, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let acknowledged = || writes.load(Ordering::SeqCst);
    let go_on = || {
        let before = acknowledged();
        until("it is written", || acknowledged() > before + KEYS);
    };
    let copy = || {
        go_on();
        let copy = TempDir::new().unwrap();
        if is_injected("a segment copied before the manifest") {
            sh(r#"cp $(ls "$1"/*.seg | tail -1) "$2""#, dir, copy.path());
            go_on();
        }
        let least = acknowledged();
        sh(r#"cp "$1/engine" "$1/MANIFEST" "$2"; cp -n "$1"/*.seg "$2""#, dir, copy.path());
        // One may be under way.
        let most = acknowledged() + 1;
        match KvStore::open(copy.path()) {
            Ok(copy) if is_a_moment(&copy, least, most) => Ok(0),
            Ok(_) => Err(format!("it is not what {least} to {most} writes make")),
            Err(KvsError::File { .. } | KvsError::Damaged { .. }) => Ok(1),
            Err(other) => Err(other.to_string()),
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let number = acknowledged();
                let key = (number % KEYS).to_string();
                match value(number) {
                    Some(value) => store.set(key, value).unwrap(),
                    None => store.remove(key).unwrap(),
                }
                writes.fetch_add(1, Ordering::SeqCst);
            }
        });
        let refused = (0..COPIES).map(|_| copy()).sum();
        stop.store(true, Ordering::Relaxed);
        refused
    })
}

#[test]
fn a_copy_under_load_is_refused_or_opens_as_a_moment_of_the_store() {
    let (mut refused, mut compactions) = (0, 0);
    let levels =
        [Durability::Always, Durability::Interval(Duration::from_millis(5)), Durability::Os];
    let rounds = levels.repeat(pick(1, 20));
    for level in &rounds {
        let dir = TempDir::new().unwrap();
        let options = KvStoreOptions::new().durability(*level).segment_bytes(50_000);
        let store = options.compact_at(100_000).open(dir.path()).unwrap();
        refused += copy_under_load(&store, dir.path()).unwrap();
        compactions += store.stats().compactions;
    }
    let copies = rounds.len() * COPIES;
    println!("{copies} copies, {refused} of them refused, {compactions} compactions");
    // How many are refused depends on how long a copy takes: on a machine that is busy, most.
    assert!(refused < copies && compactions > 0);
}
