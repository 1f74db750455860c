//! The torn tail.
//!
//! A power loss in the middle of a write leaves half a record at the end of the log. Nobody was told
//! that it was written, so nothing is lost. A store that refuses its log for it cannot be opened any
//! more, and that loses everything. `final` cuts the tail and says so.

use kvs_test_kit::Server;
use kvs_test_kit::files::log_in;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Takes the last bytes off the log in the directory. Returns it.
fn tear(dir: &Path) -> PathBuf {
    let log = log_in(dir);
    let len = log.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&log).unwrap().set_len(len - 5).unwrap();
    log
}

/// Writes two records with the store of a stage, cuts the last one, and returns what its open says.
macro_rules! open_torn_log_with {
    ($library:ident) => {{
        #[allow(unused_mut)] // the first stage's `set` takes `&mut self`
        fn open_torn_log() -> String {
            use $library::{KvStore, KvsEngine};
            let dir = TempDir::new().unwrap();
            let mut store = KvStore::open(dir.path()).unwrap();
            store.set("kept".to_owned(), "value".to_owned()).unwrap();
            store.set("torn".to_owned(), "value".to_owned()).unwrap();
            drop(store);
            tear(dir.path());
            let Err(error) = KvStore::open(dir.path()) else { panic!("it opens") };
            assert!(matches!(error, $library::KvsError::Damaged { .. }), "{error}");
            let words = error.to_string();
            println!("{}: {words}", stringify!($library));
            words
        }
        let words = open_torn_log();
        let record = "{\"Set\":{\"key\":\"kept\",\"value\":\"value\"}}\n";
        assert!(words.contains(&format!("damaged at byte {}", record.len())), "{words}");
    }};
}

#[test]
fn every_stage_refuses_a_log_whose_last_record_is_cut() {
    open_torn_log_with!(start);
    open_torn_log_with!(naive_pool);
    open_torn_log_with!(shared_engine);
    open_torn_log_with!(threaded_server);
    open_torn_log_with!(shared_queue);
    open_torn_log_with!(rayon_pool);
    open_torn_log_with!(rwlock);
    open_torn_log_with!(lock_free);
}

#[test]
fn final_cuts_the_tail_and_says_so() {
    let dir = TempDir::new().unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-server"));
        Server::start(&mut command, dir.path()).unwrap()
    };
    let set = |key: &str| format!(r#"{{"Set":{{"key":"{key}","value":"value"}}}}"#);
    let get = |key: &str| format!(r#"{{"Get":{{"key":"{key}"}}}}"#);

    let server = start();
    let mut client = server.connect();
    for key in ["kept", "torn"] {
        assert_eq!(client.ask(&set(key)), r#"{"Ok":null}"#);
    }
    // Killed, so that the store is not closed in good order: then nothing could be torn.
    drop(server);
    tear(dir.path());

    let server = start();
    let mut client = server.connect();
    assert_eq!(client.ask(&get("kept")), r#"{"Ok":"value"}"#);
    assert_eq!(client.ask(&get("torn")), r#"{"Ok":null}"#);
    assert_eq!(client.ask(&set("next")), r#"{"Ok":null}"#);
    let (_, log) = server.terminate();
    let words =
        log.lines().find(|line| line.contains("bytes of a torn tail are truncated at byte"));
    println!("{}", words.unwrap_or_else(|| panic!("it does not say so:\n{log}")));
}
