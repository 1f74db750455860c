//! `kvs client` on a terminal.

use crate::{KVS, kvs_server};
use kvs_test_kit::Server;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use tempfile::TempDir;

/// A client at a prompt, and the terminal before it.
struct Terminal {
    screen: File,
    client: Child,
}

impl Terminal {
    fn start(server: &Server, state: &TempDir) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let screen = openpt(flags).unwrap();
        unlockpt(&screen).unwrap();
        let keys = File::from(ioctl_tiocgptpeer(&screen, flags).unwrap());
        let client = Command::new(KVS)
            .args(["client", "--addr", &server.addr.to_string()])
            .env("XDG_STATE_HOME", state.path())
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .stdin(keys.try_clone().unwrap())
            .stdout(keys.try_clone().unwrap())
            .stderr(keys)
            .spawn()
            .unwrap();
        Terminal { screen: File::from(screen), client }
    }

    fn press(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen has shown these words since the last call.
    fn shows(&mut self, message: &str) {
        let (mut shown, mut byte) = (Vec::new(), [0]);
        while !shown.ends_with(message.as_bytes()) {
            // The end is an error here: nobody holds the other side any more.
            let read = self.screen.read(&mut byte).unwrap_or(0);
            assert_eq!(read, 1, "{message:?} in {:?}", String::from_utf8_lossy(&shown));
            shown.extend(byte);
        }
    }

    /// Waits for the prompt, and types a line.
    fn types(&mut self, line: &str) {
        self.shows("> ");
        self.press(line);
        self.shows(line);
        self.press("\r");
        self.shows("\n");
    }
}

#[test]
fn a_terminal_gets_a_prompt_that_survives_mistakes_and_the_servers_end() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut server = kvs_server(&[], &dir);
    let mut terminal = Terminal::start(&server, &state);
    terminal.types("set animal a small crab");
    terminal.types("get animal");
    terminal.shows("a small crab\r\n");
    terminal.types("rm plant");
    terminal.shows("Key not found\r\n");
    terminal.types("fly");
    terminal.shows("`fly` is no command");
    terminal.types("stats");
    terminal.shows("keys 1\r\n");
    server.kill();
    terminal.types("get animal");
    terminal.types("get animal");
    terminal.shows("cannot connect to");
    terminal.types("quit");
    assert!(terminal.client.wait().unwrap().success());
}

#[test]
fn the_prompt_remembers_its_lines_for_the_next_time_and_for_nobody_else() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = kvs_server(&[], &dir);
    let mut terminal = Terminal::start(&server, &state);
    terminal.types("set animal crab");
    terminal.types("get animal");
    terminal.shows("> ");
    // ctrl-C drops a line, ctrl-D ends.
    terminal.press("half\x03");
    terminal.shows("> ");
    terminal.press("\x04");
    assert!(terminal.client.wait().unwrap().success());

    let file = state.path().join("kvs/history");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut terminal = Terminal::start(&server, &state);
    terminal.shows("> ");
    // The key for the line before.
    terminal.press("\x1b[A");
    terminal.shows("get animal");
    terminal.press("\r");
    terminal.shows("crab\r\n");
    terminal.types("quit");
    assert!(terminal.client.wait().unwrap().success());
}
