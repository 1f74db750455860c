//! A directory that is not what it was thought to be: whoever starts there is told what is wrong with it.

use crate::*;
use kvs_test_kit::simulated::workload::open;
use std::os::unix::fs::symlink;

#[test]
fn a_start_that_makes_a_new_store_says_so_once_and_where() {
    let place = TempDir::new().unwrap();
    let root = place.path().canonicalize().unwrap();
    for (engine, other) in [("kvs", "a/b"), ("sled", "c")] {
        fs::create_dir(root.join(engine)).unwrap();
        for (name, was) in [(engine, "held none"), (other, "was not there")] {
            let warnings = || -> Vec<String> {
                let mut server = Command::new(KVS);
                server.args(["server", "--engine", engine]).current_dir(&root);
                let (_, log) = Server::start(&mut server, Path::new(name)).unwrap().terminate();
                log.lines()
                    .filter_map(|line| Some(line.split_once(" WARN ] ")?.1.to_owned()))
                    .collect()
            };
            let path = root.join(name);
            let made = format!("made a new store in {}: the directory {was}", path.display());
            assert_eq!([warnings(), warnings()], [vec![made], vec![]]);
        }
    }
}

#[test]
fn a_path_that_leads_nowhere_or_to_no_directory_is_refused_in_words_that_fit() {
    let place = TempDir::new().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    symlink("nowhere", path("dangling")).unwrap();
    symlink("loop", path("loop")).unwrap();
    fs::write(path("file"), "text").unwrap();
    let dangling = format!("{}: a link to nowhere, which is not there", path("dangling"));
    let refused = |name: &str, message: &str| {
        for start in [&["check"][..], &["server", "--addr", "127.0.0.1:0", "--dir"]] {
            kvs(start).arg(path(name)).assert().code(1).stderr(contains(message));
        }
    };
    refused("dangling", &dangling);
    refused("dangling/below", &dangling);
    for (name, message) in [
        ("loop", "Too many levels of symbolic links"),
        ("file", "Not a directory"),
        ("file/below", "Not a directory"),
    ] {
        refused(name, &format!("{}: {message}", path(name)));
    }
    for (name, file) in [("a", "a/MANIFEST"), ("b", "b/engine")] {
        fs::create_dir(path(name)).unwrap();
        symlink("nowhere", path(file)).unwrap();
        refused(name, &format!("{}: a link to nowhere, which is not there", path(file)));
    }
    assert!(!Path::new(&path("nowhere")).exists());
}

#[test]
fn what_has_no_manifest_is_no_store_or_has_lost_it() {
    let dir = TempDir::new().unwrap();
    let no_store = format!("{}: there is no store in this directory", dir.path().display());
    let refuses =
        |command| kvs(&[command]).arg(dir.path()).assert().code(1).stderr(no_store.clone() + "\n");
    refuses("check");
    refuses("dump");
    fs::write(dir.path().join("engine"), "sled\n").unwrap();
    refuses("dump");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let disk = SimulatedDisk::new();
    drop(open(&disk).unwrap());
    let manifest = Path::new(DIR).join("MANIFEST");
    disk.delete(&manifest);
    // As if the power had failed before the first manifest.
    let files = disk.files();
    assert!(matches!(check(&disk, Path::new(DIR)), Err(KvsError::NoStore { .. })));
    assert_eq!(disk.files(), files);
    open(&disk).unwrap().set("k".to_owned(), "v".to_owned()).unwrap();
    disk.delete(&manifest);
    is_damaged(check(&disk, Path::new(DIR)), &manifest, 0);
    is_damaged(open(&disk), &manifest, 0);
}

#[test]
fn a_directory_that_cannot_be_synced_or_locked_is_named() {
    if Command::new("strace").args(["-qqo", "/dev/null", "true"]).status().is_err() {
        eprintln!("skipped: there is no strace");
        return;
    }
    // The first sync of a new directory is for its marker, the next one for the first segment.
    for (call, message) in [
        ("flock:error=ENOLCK:when=1", "cannot be locked: No locks available"),
        ("fsync:error=EINVAL:when=1", "cannot be synced: Invalid argument"),
        ("fsync:error=EINVAL:when=2", "cannot be synced: Invalid argument"),
    ] {
        let dir = TempDir::new().unwrap();
        let (inject, path) = (format!("inject={call}"), dir.path().to_str().unwrap());
        let mut server = assert_cmd::Command::new("strace");
        server.args(["-qqo", "/dev/null", "-P", path, "-e", &inject, KVS, "server"]);
        server.args(["--addr", "127.0.0.1:0", "--dir", path]);
        server.assert().code(1).stderr(contains(format!("{path}: {message}")));
    }
}
