//! Whoever only reads a store needs no leave to write, changes nothing, and is in nobody's way who reads too.

use crate::formats::{copy, segments};
use crate::{KVS, kvs, kvs_server};
use kvs_final::disk::{Access, Disk, RealDisk};
use kvs_final::{KvStore, KvsError};
use kvs_test_kit::Server;
use predicates::str::contains;
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use tempfile::TempDir;

/// On a mount that is read-only; and on an overlay file system, which copies what is opened for writing.
const MOUNTS: &str = r#"
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/merged"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"
"$0" check "$2/merged"
find "$2/upper" -type f -exec echo copied: {} +
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
if touch "$1/file"; then echo writable; fi
"$0" check "$1"
"#;

#[test]
fn a_store_is_checked_where_nothing_can_be_written_and_nothing_is_copied_for_it() {
    if !geteuid().is_root() {
        eprintln!("skipped: to mount something takes root");
        return;
    }
    let (dir, place) = (copy("closed"), TempDir::new().unwrap());
    // With mounts of its own, which end with it.
    let mut script = assert_cmd::Command::new("unshare");
    script.args(["--mount", "sh", "-ec", MOUNTS, KVS]).args([dir.path(), place.path()]);
    let output = script.assert().success().get_output().stdout.clone();
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.matches("nothing is damaged").count(), 2, "{output}");
    assert!(!output.contains("copied") && !output.contains("writable"), "{output}");
}

#[test]
fn a_start_needs_no_leave_to_write_to_what_is_sealed() {
    let dir = copy("closed");
    let mut segments = segments(dir.path());
    let newest = segments.pop().unwrap();
    assert!(segments.len() > 2);
    for path in segments.into_iter().chain([dir.path().join("MANIFEST")]) {
        fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
    }
    // Root may write to anything unless it gives that up.
    let words: &[&str] = match geteuid().is_root() {
        true => &["setpriv", "--bounding-set=-dac_override", KVS, "server"],
        false => &[KVS, "server"],
    };
    let start = || Server::start(Command::new(words[0]).args(&words[1..]), dir.path());
    let server = start().unwrap();
    let mut client = server.connect();
    assert!(client.ask(r#"{"Get":{"key":"key 1"}}"#).contains("value 1"));
    drop(server);
    fs::set_permissions(&newest, Permissions::from_mode(0o444)).unwrap();
    let refused = start().map(drop).unwrap_err();
    assert!(refused.contains(&format!("{}: Permission denied", newest.display())), "{refused}");
}

#[test]
fn checks_run_beside_each_other_and_not_beside_an_owner() {
    let dir = copy("closed");
    let reads = RealDisk.claim(dir.path(), Access::Read).unwrap();
    let check = || kvs(&["check"]).arg(dir.path()).assert();
    check().success().stdout(contains("26 keys"));
    assert!(matches!(KvStore::open(dir.path()), Err(KvsError::InUse { .. })));
    reads.release();
    let _owner = kvs_server(&[], &dir);
    check().code(1).stderr(contains("in use by another store"));
}
