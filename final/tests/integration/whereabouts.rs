//! A directory that is not what it was thought to be: whoever starts there is told what is wrong with it.

use crate::{KVS, kvs};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvsEngine, KvsError, check};
use kvs_test_kit::Server;
use kvs_test_kit::simulated::workload::{DIR, is_damaged, open};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn a_start_that_makes_a_new_store_says_so_once_and_where() {
    for engine in ["kvs", "sled"] {
        let place = TempDir::new().unwrap();
        fs::create_dir(place.path().join("empty")).unwrap();
        for (name, was) in [("empty", "held none"), ("not/there", "was not there")] {
            let start = || {
                let mut command = Command::new(KVS);
                command.args(["server", "--engine", engine]).current_dir(place.path());
                let (status, log) =
                    Server::start(&mut command, Path::new(name)).unwrap().terminate();
                assert!(status.success(), "{log}");
                log
            };
            let dir = place.path().canonicalize().unwrap().join(name);
            let made = format!("made a new store in {}: the directory {was}", dir.display());
            let log = start();
            assert_eq!(log.lines().filter(|line| line.contains("WARN")).count(), 1, "{log}");
            assert!(log.contains(&made), "{log}");
            assert!(!start().contains("WARN"));
        }
    }
}

#[test]
fn a_path_that_leads_to_no_directory_is_refused_in_words_that_fit() {
    let place = TempDir::new().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    symlink("nowhere", path("dangling")).unwrap();
    symlink("loop", path("loop")).unwrap();
    fs::write(path("file"), "text").unwrap();
    let dangling = format!("{}: a link to nowhere, which is not there", path("dangling"));
    for (name, message) in [
        ("dangling", &dangling),
        ("dangling/below", &dangling),
        ("loop", &format!("{}: Too many levels of symbolic links", path("loop"))),
        ("file", &format!("{}: Not a directory", path("file"))),
        ("file/below", &format!("{}: Not a directory", path("file/below"))),
    ] {
        kvs(&["check", &path(name)]).assert().code(1).stderr(contains(message));
        kvs(&["server", "--dir", &path(name)]).assert().code(1).stderr(contains(message));
    }
    assert!(!Path::new(&path("nowhere")).exists());
}

#[test]
fn what_has_no_manifest_is_no_store_or_has_lost_it() {
    let dir = TempDir::new().unwrap();
    let no_store = format!("{}: there is no store in this directory", dir.path().display());
    for command in ["check", "dump"] {
        kvs(&[command]).arg(dir.path()).assert().code(1).stderr(contains(&no_store));
    }
    let marker = dir.path().join("engine");
    fs::write(&marker, "sled\n").unwrap();
    kvs(&["dump"]).arg(dir.path()).assert().code(1).stderr(contains(&no_store));
    let files = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    assert_eq!(files.collect::<Vec<_>>(), [marker]);

    let disk = SimulatedDisk::new();
    drop(open(&disk).unwrap());
    let manifest = Path::new(DIR).join("MANIFEST");
    disk.delete(&manifest);
    // As if the power had failed before the first manifest.
    let files = disk.files();
    assert!(matches!(check(&disk, Path::new(DIR)), Err(KvsError::NoStore { .. })));
    assert_eq!(disk.files(), files);
    let store = open(&disk).unwrap();
    store.set("k".to_owned(), "v".to_owned()).unwrap();
    drop(store);
    disk.delete(&manifest);
    is_damaged(check(&disk, Path::new(DIR)), &manifest, 0);
    is_damaged(open(&disk), &manifest, 0);
}

#[test]
fn a_directory_that_cannot_be_synced_or_locked_is_named() {
    let strace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !strace.is_ok_and(|status| status.success()) {
        eprintln!("skipped: strace does not run");
        return;
    }
    // The first sync of a new directory is for its marker, the next one for the first segment.
    for (call, message) in [
        ("flock:error=ENOLCK:when=1", "cannot be locked: No locks available"),
        ("fsync:error=EINVAL:when=1", "cannot be synced: Invalid argument"),
        ("fsync:error=EINVAL:when=2", "cannot be synced: Invalid argument"),
    ] {
        let dir = TempDir::new().unwrap();
        let path = dir.path().display();
        let mut strace = assert_cmd::Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-P", &path.to_string(), "-e"]);
        strace.args([&format!("inject={call}"), KVS, "server", "--addr", "127.0.0.1:0", "--dir"]);
        let message = format!("{path}: {message}");
        strace
            .arg(dir.path())
            .assert()
            .code(1)
            .stderr(contains(&message).and(contains("engine").not()));
    }
}
