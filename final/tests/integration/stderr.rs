//! A stderr that takes nothing.

use crate::stopping::reads_later;
use crate::{KVS, kvs_server};
use kvs_final::{KvStore, KvsClient, KvsEngine};
use kvs_test_kit::local::nobody_listens;
use kvs_test_kit::requests::{GET, NOTHING};
use kvs_test_kit::sigterm::set;
use kvs_test_kit::{Raw, Server, until};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Action, tcflow};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use tempfile::TempDir;

/// A pipe that takes no byte more, and its other end.
fn full_pipe() -> (File, OwnedFd) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (File::from(OwnedFd::from(reader)), writer.into())
}

/// A terminal as after ctrl-S, and who sits before it.
fn halted_terminal() -> (File, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let screen = openpt(flags).unwrap();
    unlockpt(&screen).unwrap();
    let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
    tcflow(&terminal, Action::OOff).unwrap();
    (File::from(screen), terminal)
}

#[test]
fn a_server_whose_log_nobody_takes_serves_and_stops() {
    for (reader, stderr) in [full_pipe(), halted_terminal()] {
        let dir = TempDir::new().unwrap();
        let server = Server::start_with_stderr(Command::new(KVS).arg("server"), dir.path(), stderr);
        assert_eq!(server.connect().ask(set("k", "v").trim_end()), NOTHING);
        assert_eq!(server.terminate().0.code(), Some(0));
        assert_eq!(KvStore::open(dir.path()).unwrap().get("k".to_owned()).unwrap().unwrap(), "v");
        drop(reader);
    }
}

#[test]
fn a_second_signal_ends_a_server_whose_log_nobody_takes() {
    let (dir, (_reader, stderr)) = (TempDir::new().unwrap(), full_pipe());
    KvStore::open(dir.path()).unwrap().set("large".to_owned(), "v".repeat(6 << 20)).unwrap();
    let server = Server::start_with_stderr(Command::new(KVS).arg("server"), dir.path(), stderr);
    // One that takes no answer keeps it from its end.
    let _waits = reads_later(&server);
    server.signal("-TERM");
    nobody_listens(server.addr);
    server.signal("-TERM");
    assert_eq!(server.end().0.code(), Some(128 + 15));
}

#[test]
fn lines_that_nobody_takes_are_counted_and_told_of_when_somebody_does() {
    let (dir, (mut reader, stderr)) = (TempDir::new().unwrap(), full_pipe());
    // Two lines for each connection.
    let mut command = Command::new(KVS);
    command.env("RUST_LOG", "debug").arg("server");
    let server = Server::start_with_stderr(&mut command, dir.path(), stderr);
    for _ in 0..2000 {
        assert_eq!(Raw::connect(server.addr).ask(GET), NOTHING);
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&log);
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(len @ 1..) = reader.read(&mut part) {
            heard.lock().unwrap().extend(&part[..len]);
        }
    });
    let log = || String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    until("it is told", || log().contains(" lines were dropped"));
    let told = log();
    let dropped =
        told.lines().find_map(|line| line.strip_suffix(" lines were dropped: nobody took them"));
    let dropped: usize = dropped.unwrap().parse().unwrap();
    assert!((900..=1100).contains(&dropped), "{dropped} of some 2000");
    // And then it goes on as if nothing had been.
    drop(server.connect());
    assert_eq!(server.terminate().0.code(), Some(0));
    until("the end is logged", || log().ends_with("stopped\n"));
}

#[test]
fn lines_behind_one_whose_error_nobody_takes_are_done() {
    let dir = TempDir::new().unwrap();
    let server = kvs_server(&[], &dir);
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    for stderr in [closed.into(), full.into()] {
        let mut command = Command::new(KVS);
        command.args(["client", "--addr", &server.addr.to_string()]).stderr::<Stdio>(stderr);
        let mut client = command.stdin(Stdio::piped()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(b"rm none\nfly\nset behind done\n").unwrap();
        assert_eq!(client.wait().unwrap().code(), Some(1));
        let mut client = KvsClient::connect(server.addr).unwrap();
        assert_eq!(client.get("behind".to_owned()).unwrap().as_deref(), Some("done"));
        client.remove("behind".to_owned()).unwrap();
    }
}
