//! `kvs dump` and `kvs restore`.

use crate::*;
use predicates::str::is_empty;

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
