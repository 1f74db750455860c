//! A stderr that takes nothing.

use crate::stopping::reads_later;
use crate::*;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Action, tcflow};
use std::os::fd::OwnedFd;
use std::sync::Mutex;

/// A pipe that takes no byte more, and its other end.
fn full_pipe() -> (File, OwnedFd) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (File::from(OwnedFd::from(reader)), writer.into())
}

/// What is seen of a terminal, and the terminal.
pub(crate) fn terminal() -> (File, OwnedFd) {
    // Else programs that other tests start keep it open, and who reads from it never sees its end.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).unwrap();
    unlockpt(&screen).unwrap();
    let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
    (File::from(screen), terminal)
}

/// The same as after ctrl-S.
fn halted_terminal() -> (File, OwnedFd) {
    let (screen, terminal) = terminal();
    tcflow(&terminal, Action::OOff).unwrap();
    (screen, terminal)
}

/// Takes all that comes. Returns how to look at it.
fn take(mut reader: File) -> impl Fn() -> String {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&taken);
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(len @ 1..) = reader.read(&mut part) {
            taken.lock().unwrap().extend(&part[..len]);
        }
    });
    move || String::from_utf8_lossy(&all.lock().unwrap()).into_owned()
}

#[test]
fn a_server_whose_log_nobody_takes_serves_and_stops() {
    for (reader, stderr) in [full_pipe(), halted_terminal()] {
        let dir = TempDir::new().unwrap();
        let server = Server::start_with_stderr(Command::new(KVS).arg("server"), dir.path(), stderr);
        assert_eq!(server.connect().ask(SET), NOTHING);
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
    let (dir, (reader, stderr)) = (TempDir::new().unwrap(), full_pipe());
    // A line for each connection.
    let mut command = Command::new(KVS);
    command.env("RUST_LOG", "debug").arg("server");
    let server = Server::start_with_stderr(&mut command, dir.path(), stderr);
    for _ in 0..2000 {
        assert_eq!(Raw::connect(server.addr).ask(GET), NOTHING);
    }
    let log = take(reader);
    until("it is told", || log().contains("nobody took them\n"));
    let told = log();
    let message = " lines were dropped: nobody took them";
    let mut dropped: usize =
        told.lines().find_map(|line| line.strip_suffix(message)).unwrap().parse().unwrap();
    if is_injected("a dropped line that is not counted") {
        dropped = 0;
    }
    assert!((900..=1100).contains(&dropped), "{dropped} of some 2000");
    // And then it goes on as if nothing had been.
    drop(server.connect());
    assert_eq!(server.terminate().0.code(), Some(0));
    until("the end is logged", || log().ends_with("stopped\n"));
}

/// `stty tostop` has the system stop whoever writes and is in the background.
#[test]
fn a_terminal_that_stops_background_processes_that_write_does_not_stop_a_server() {
    let (dir, (screen, terminal)) = (TempDir::new().unwrap(), terminal());
    let script =
        "stty tostop; set -m; \"$0\" server --addr 127.0.0.1:0 --dir \"$1\" & echo \"<$!>\"; wait";
    let mut shell = Command::new("setsid");
    shell.args(["--ctty", "--wait", "sh", "-c", script, KVS]).arg(dir.path());
    shell
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut shell = shell.spawn().unwrap();
    let log = take(screen);
    let pid = || Some(log().split_once('<')?.1.split_once('>')?.0.to_owned());
    until("it is started", || pid().is_some());
    until("it logs that it listens", || log().contains("listening on"));
    assert!(Command::new("kill").args(["-TERM", &pid().unwrap()]).status().unwrap().success());
    until("it logs its end", || log().contains("stopped"));
    assert!(shell.wait().unwrap().success());
}
