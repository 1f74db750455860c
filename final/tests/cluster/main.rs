//! The engine on a real Redis Cluster that the tests start, stop, kill and end themselves. Where `redis-server` is
//! missing they say so and do nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod failovers;
#[path = "../promises/history.rs"]
#[allow(dead_code)] // what the promises need of it
mod history;
mod load;

use kvs_final::{Durability, KvsClient, KvsEngine, KvsError, Limits, Result, Write};
use kvs_final::{RedisClusterEngine, RedisClusterOptions};
use kvs_test_kit::local::Local;
use kvs_test_kit::redis::{Cluster, HASTY, NO_LOG, PATIENT, SYNCED, cli};
use kvs_test_kit::{process, until};
use load::Load;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn open(cluster: &Cluster, durability: Option<Durability>) -> Result<RedisClusterEngine> {
    let timeout = Duration::from_secs(10);
    // As one writes a list.
    let addrs: Vec<_> = cluster.addrs().iter().map(|addr| format!(" {addr} ")).collect();
    RedisClusterEngine::open(&addrs, RedisClusterOptions { durability, timeout })
}

fn set(engine: &RedisClusterEngine, key: &str, value: &str) -> Result<()> {
    engine.set(key.to_owned(), value.to_owned())
}

fn get(engine: &RedisClusterEngine, key: &str) -> Result<Option<String>> {
    engine.get(key.to_owned())
}

/// All keys of a walk.
fn walk(engine: &RedisClusterEngine, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = engine.keys(cursor, limit).unwrap();
        assert!(page.keys.len() <= limit);
        all.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            all.sort();
            all.dedup();
            return all;
        }
    }
}

#[test]
fn each_operation_means_what_it_means_for_the_other_engines() {
    let Some(cluster) = Cluster::start(1, NO_LOG, PATIENT) else { return };
    let engine = open(&cluster, None).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let compare = |key: &str, expected, new| engine.compare_and_set(key.to_owned(), expected, new);

    assert_eq!(get(&engine, "a").unwrap(), None);
    set(&engine, "a", "1").unwrap();
    assert_eq!(get(&engine, "a").unwrap(), text("1"));
    engine.remove("a".to_owned()).unwrap();
    assert!(matches!(engine.remove("a".to_owned()), Err(KvsError::KeyNotFound)));

    compare("a", None, text("1")).unwrap();
    assert!(matches!(compare("a", None, text("2")), Err(KvsError::Mismatch)));
    assert!(matches!(compare("a", text(""), text("2")), Err(KvsError::Mismatch)));
    compare("a", text("1"), text("")).unwrap();
    compare("a", text(""), None).unwrap();
    assert_eq!(get(&engine, "a").unwrap(), None);

    let batch = |keys: [&str; 3]| {
        let [one, two, gone] = keys.map(str::to_owned);
        engine.write_batch(vec![(one, text("1")), (two, text("")), (gone, None)])
    };
    batch(["{t}1", "{t}2", "{t}3"]).unwrap();
    assert_eq!(get(&engine, "{t}1").unwrap(), text("1"));
    assert_eq!(get(&engine, "{t}2").unwrap(), text(""));
    engine.write_batch(Vec::new()).unwrap();
    let apart = batch(["1", "2", "3"]).unwrap_err();
    assert!(matches!(apart, KvsError::Unsupported { .. }), "{apart}");
    assert_eq!(get(&engine, "1").unwrap(), None);

    cluster.ask(cluster.pair_of("list").0, &["rpush", "list", "1"]);
    let bytes = ["eval", "return redis.call('SET', KEYS[1], '\\255')", "1", "bytes"];
    cluster.ask(cluster.pair_of("bytes").0, &bytes);
    for (refused, why) in [
        (get(&engine, "list").unwrap_err(), "WRONGTYPE"),
        (compare("list", None, text("1")).unwrap_err(), "WRONGTYPE"),
        (get(&engine, "bytes").unwrap_err(), "not UTF-8"),
    ] {
        assert!(refused.to_string().contains(why), "{refused}");
    }

    let mut all: Vec<String> = (0..100).map(|number| format!("key{number}")).collect();
    let writes = all.iter().map(|key| Write::Set { key: key.clone(), value: key.clone() });
    let (answer, answers) = mpsc::channel();
    engine.round(writes.map(|write| {
        let answer = answer.clone();
        (write, move |result: Result<()>| answer.send(result).unwrap())
    }));
    (0..100).for_each(|_| answers.recv().unwrap().unwrap());
    all.extend(["{t}1", "{t}2", "bytes"].map(str::to_owned));
    all.sort();
    assert_eq!(engine.len().unwrap(), all.len() as u64 + 1, "with the list");
    for limit in [3, 10_000] {
        assert_eq!(walk(&engine, limit), all);
    }
    let nonsense = engine.keys(text("nonsense"), 1).unwrap_err();
    assert!(matches!(nonsense, KvsError::Cursor { .. }), "{nonsense}");
}

#[test]
fn a_get_sees_the_write_that_was_begun_before_it() {
    let Some(cluster) = Cluster::start(1, SYNCED, PATIENT) else { return };
    // With `always`, gets and writes go over connections of their own.
    for durability in [None, Some(Durability::Always)] {
        let engine = open(&cluster, durability).unwrap();
        let (answer, answers) = mpsc::channel();
        // Keys of one slot, so that they wait in one lane, and of others.
        for number in 0..1_000 {
            let key = format!("{{{}}}{}", number % 5, number % 7);
            let value = number.to_string();
            let write = match number % 3 {
                0 => Write::Set { key: key.clone(), value: value.clone() },
                _ => Write::Batch(
                    [&*key, &format!("{key}-")]
                        .map(|key| (key.to_owned(), Some(value.clone())))
                        .to_vec(),
                ),
            };
            engine.round([(write, |result: Result<()>| result.unwrap())]);
            let answer = answer.clone();
            engine.get_then(key, move |found| answer.send((found.unwrap(), value)).unwrap());
        }
        drop(answer);
        let answers: Vec<_> = answers.into_iter().collect();
        assert_eq!(answers.len(), 1_000);
        for (found, written) in answers {
            assert_eq!(found, Some(written));
        }
    }
}

#[test]
fn a_durability_that_the_nodes_do_not_give_is_refused() {
    let Some(mut cluster) = Cluster::start(1, NO_LOG, PATIENT) else { return };
    for (log, given) in [
        (NO_LOG, [false; 3]),
        (["yes", "everysec"], [false; 3]),
        (["yes", "no"], [false, false, true]),
        (SYNCED, [true; 3]),
    ] {
        cluster.ask_all(&["acl", "setuser", "default", "+config"]);
        cluster.set_log(log);
        let levels = [Durability::Always, Durability::default(), Durability::Os];
        for (level, is_given) in levels.into_iter().zip(given) {
            let opened = open(&cluster, Some(level));
            assert_eq!(opened.is_ok(), is_given, "{log:?} {level}: {:?}", opened.err());
            if let Ok(engine) = opened {
                set(&engine, "key", "value").unwrap();
                let confirms = engine.promise().contains("the replica that has confirmed it");
                assert_eq!(confirms, level == Durability::Always, "{}", engine.promise());
            }
        }
        let words = if log == NO_LOG { "appendonly no" } else { log[1] };
        let promise = open(&cluster, None).unwrap().promise().to_owned();
        assert!(promise.contains(words) && promise.contains("failover"), "{promise}");

        // As where the nodes are somebody else's.
        cluster.ask_all(&["acl", "setuser", "default", "-config"]);
        assert!(open(&cluster, Some(Durability::Os)).is_err());
        let promise = open(&cluster, None).unwrap().promise().to_owned();
        assert!(promise.contains("isn't known") && promise.contains("NOPERM"), "{promise}");
    }

    cluster.ask_all(&["acl", "setuser", "other", "on", ">secret", "allkeys", "+@all"]);
    let mut addrs = cluster.addrs();
    addrs[0] = format!("redis://other:secret@{}", addrs[0]);
    let options = RedisClusterOptions::default();
    let engine = RedisClusterEngine::open(&addrs, options).unwrap();
    assert!(engine.promise().contains(SYNCED[1]), "one login is for all: {}", engine.promise());

    cluster.ask_all(&["flushall"]);
    cluster.ask_all(&["cluster", "reset", "hard"]);
    let no_cluster = open(&cluster, None).map(|_| ()).unwrap_err().to_string();
    assert!(no_cluster.contains("has a slot"), "{no_cluster}");
}

#[test]
fn replies_that_come_to_more_than_a_node_can_hold_are_asked_for_one_after_the_other() {
    let Some(cluster) = Cluster::start(1, NO_LOG, PATIENT) else { return };
    let options = RedisClusterOptions { durability: None, timeout: Duration::from_secs(100) };
    let engine = RedisClusterEngine::open(&cluster.addrs(), options).unwrap();
    set(&engine, "{t}", &"x".repeat(1 << 20)).unwrap();
    let (answer, answers) = mpsc::channel();
    for _ in 0..500 {
        let answer = answer.clone();
        engine.get_then("{t}".to_owned(), move |found| {
            answer.send(found.unwrap().unwrap().len()).unwrap();
        });
    }
    assert_eq!(get(&engine, "another {t}").unwrap(), None);
    (0..500).for_each(|_| assert_eq!(answers.recv().unwrap(), 1 << 20));
    let info = cluster.ask(cluster.pair_of("{t}").0, &["info", "memory"]);
    let peak = info.lines().find_map(|line| line.strip_prefix("used_memory_peak:")).unwrap();
    assert!(peak.trim().parse::<u64>().unwrap() < 200 << 20, "{peak}");
}

#[test]
fn no_write_is_sent_over_a_connection_that_its_node_has_closed() {
    let Some(cluster) = Cluster::start(1, NO_LOG, PATIENT) else { return };
    let engine = open(&cluster, None).unwrap();
    for _ in 0..10 {
        (0..10).for_each(|key| set(&engine, &key.to_string(), "").unwrap());
        cluster.ask_all(&["client", "kill", "type", "normal"]);
    }
}

#[test]
fn a_node_that_is_silent_keeps_no_thread_and_no_request_for_another_node() {
    let Some(cluster) = Cluster::start(1, NO_LOG, HASTY) else { return };
    let engine = open(&cluster, None).unwrap();
    let (silent, replica) = cluster.pair_of("{silent}");
    let names = || (0..).map(|number| format!("{{{number}}}"));
    let other = names().find(|name| cluster.pair_of(name).0 != silent).unwrap();
    let unanswered = names().find(|name| cluster.pair_of(name).0 == silent).unwrap();
    let keys: Vec<String> = (0..1000).map(|number| format!("{{silent}}{number}")).collect();
    keys.iter().chain([&other]).for_each(|key| set(&engine, key, key).unwrap());
    cluster.settle();

    let threads = process::threads(std::process::id());
    cluster.signal(silent, "-STOP");
    let (write, written) = mpsc::channel();
    engine.set_then(unanswered, "1".to_owned(), move |result| write.send(result).unwrap());
    let (answer, answers) = mpsc::channel();
    for key in keys.iter().cloned() {
        let answer = answer.clone();
        engine.get_then(key.clone(), move |found| answer.send((key, found)).unwrap());
    }
    (0..10).for_each(|_| assert_eq!(get(&engine, &other).unwrap().as_ref(), Some(&other)));
    assert!(answers.try_recv().is_err(), "the silent node has none");
    assert_eq!(process::threads(std::process::id()), threads);

    // The reads are asked for again, of the replica once it is promoted; the write is not.
    let message = written.recv().unwrap().unwrap_err().to_string();
    assert!(message.contains("may have been done or not"), "{message}");
    for _ in &keys {
        let (key, found) = answers.recv().unwrap();
        assert_eq!(found.unwrap(), Some(key));
    }
    assert!(cluster.is_primary(replica));
    set(&engine, "{silent}0", "new").unwrap();
    cluster.signal(silent, "-CONT");
    cluster.settle();
    assert!(!cluster.is_primary(silent));
    assert_eq!(get(&engine, "{silent}0").unwrap().unwrap(), "new");
}

#[test]
fn while_slots_move_each_key_is_linearizable_and_no_request_fails() {
    let Some(cluster) = Cluster::start(1, NO_LOG, PATIENT) else { return };
    let engine = open(&cluster, None).unwrap();
    for number in 0..2000 {
        engine.set_then(format!("key{number}"), "value".to_owned(), |result| result.unwrap());
    }
    let first_page = engine.keys(None, 10).unwrap();
    let names: Vec<String> = (0..6).map(|node| cluster.ask(node, &["cluster", "myid"])).collect();
    let primaries: Vec<usize> = (0..6).filter(|node| cluster.is_primary(*node)).collect();
    let (addrs, increments) = (cluster.addrs(), AtomicU32::new(0));
    let mut seen = Load::run("load".to_owned(), &engine, |load| {
        thread::scope(|scope| {
            // A counter in a slot that moves: none of the increments may be lost or done twice.
            let count = || {
                while !load.is_over.load(Ordering::Relaxed) {
                    let old = get(&engine, "{key1}count").unwrap();
                    let new = old.as_ref().map_or(1, |old| old.parse::<u32>().unwrap() + 1);
                    let new = Some(new.to_string());
                    match engine.compare_and_set("{key1}count".to_owned(), old, new.clone()) {
                        Ok(()) => increments.fetch_add(1, Ordering::Relaxed),
                        Err(KvsError::Mismatch) => 0,
                        Err(error) => panic!("{error}"),
                    };
                    let pair = ["{key1}a", "{key1}b"].map(|key| (key.to_owned(), new.clone()));
                    engine.write_batch(pair.to_vec()).unwrap();
                }
            };
            (0..2).for_each(|_| drop(scope.spawn(count)));
            load.wait_for_answers(500);
            let (from, _) = cluster.pair_of("{key1}");
            let to = *primaries.iter().find(|node| **node != from).unwrap();
            let mut reshard = vec!["--cluster", "reshard", &addrs[from], "--cluster-yes"];
            reshard.extend(["--cluster-from", &names[from], "--cluster-to", &names[to]]);
            reshard.extend(["--cluster-slots", "5461"]);
            cli(&reshard).unwrap();
            load.wait_for_answers(500);
            load.is_over.store(true, Ordering::Relaxed);
        });
    });
    assert!(seen.errors.is_empty(), "{:?}", seen.errors);
    assert_eq!((seen.lost(&engine), seen.violations()), (0, Vec::new()));
    let count = get(&engine, "{key1}count").unwrap().unwrap();
    assert_eq!(count, increments.into_inner().to_string());
    assert!(engine.stats_text().lines().any(|line| {
        line.split_once("cluster_requests_again ").is_some_and(|(_, again)| again != "0")
    }));
    let mut cursor = first_page.cursor;
    let changed = loop {
        // It may still have keys of the page before.
        match engine.keys(cursor, 10) {
            Ok(page) => cursor = Some(page.cursor.unwrap()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(changed.contains("begin again"), "{changed}");
    assert_eq!(walk(&engine, 1000).iter().filter(|key| key.starts_with("key")).count(), 2000);
}

#[test]
fn a_server_outlives_its_cluster_and_finds_it_again() {
    let Some(mut cluster) = Cluster::start(1, SYNCED, HASTY) else { return };
    let options = RedisClusterOptions { durability: None, timeout: Duration::from_secs(2) };
    let engine = RedisClusterEngine::open(&cluster.addrs(), options).unwrap();
    let server = Local::start(engine, Limits::default());
    let mut client = KvsClient::connect(server.addr).unwrap();
    client.set("key".to_owned(), "value".to_owned()).unwrap();
    (0..6).for_each(|node| cluster.kill(node));
    let message = client.get("key".to_owned()).unwrap_err().to_string();
    assert!(message.contains("refused"), "{message}");
    (0..6).for_each(|node| cluster.run(node));
    let mut found = Err(KvsError::KeyNotFound);
    until("the cluster is found again", || {
        found = client.get("key".to_owned());
        found.is_ok()
    });
    assert_eq!(found.unwrap(), Some("value".to_owned()));
}
