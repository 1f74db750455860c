//! N idle clients that stop a server with N threads.
//!
//! Where a connection is a job, a client that is connected holds a thread, also while it asks
//! nothing. As many of them as there are threads, and every other client waits for one to leave. No
//! CPU is used and nothing is logged. `final` gives a connection a thread only while it executes
//! requests of it.

use crate::child::{Child, is_told_here};
use kvs_test_kit::Raw;
use kvs_test_kit::wait;

/// In the pool of the server.
const THREADS: u32 = 4;
const GET: &str = r#"{"Get":{"key":"k"}}"#;
const NOTHING: &str = r#"{"Ok":null}"#;

/// As many clients as there are threads connect, ask once, and stay. Is another one answered?
fn another_client_is_answered(story: &str) -> bool {
    let child = Child::start(story);
    let addr = child.says("listening on ").parse().unwrap();
    let mut idle: Vec<Raw> = (0..THREADS).map(|_| Raw::connect(addr)).collect();
    for client in &mut idle {
        assert_eq!(client.ask(GET), NOTHING);
    }
    let mut another = Raw::connect(addr);
    another.send(format!("{GET}\n"));
    let answered = wait::happens(child.pid(), || another.has_answer());
    println!("{THREADS} idle clients, {THREADS} threads; another client is answered: {answered}");
    idle.pop();
    assert_eq!(another.line(), NOTHING, "at the latest when one of the others has gone");
    answered
}

#[test]
fn as_many_idle_clients_as_threads_stop_stage_5() {
    let story = "idle_clients::as_many_idle_clients_as_threads_stop_stage_5";
    if !is_told_here(story) {
        assert!(!another_client_is_answered(story));
        return;
    }
    use rayon_pool::thread_pool::{SharedQueueThreadPool, ThreadPool};
    use rayon_pool::{KvStore, KvsServer};
    let pool = SharedQueueThreadPool::new(THREADS).unwrap();
    let engine = KvStore::open(".").unwrap();
    let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), engine, pool).unwrap();
    eprintln!("listening on {}", server.local_addr().unwrap());
    server.run().unwrap();
}

#[test]
fn final_serves_beside_them() {
    let story = "idle_clients::final_serves_beside_them";
    if !is_told_here(story) {
        assert!(another_client_is_answered(story));
        return;
    }
    use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
    use kvs_final::{Durability, KvStoreOptions, KvsServer};
    let pool = SharedQueueThreadPool::new(THREADS).unwrap();
    // Without the thread that syncs every so often: it would never sleep for long.
    let engine = KvStoreOptions::new().durability(Durability::Os).open(".").unwrap();
    let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), engine, pool).unwrap();
    eprintln!("listening on {}", server.local_addr().unwrap());
    server.run().unwrap();
}
