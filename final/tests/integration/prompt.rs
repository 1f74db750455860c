//! `kvs client` on a terminal.

use crate::stderr::terminal;
use crate::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A client at a prompt, and the terminal before it.
struct Terminal {
    screen: File,
    client: Child,
    /// Where the history is.
    state: TempDir,
}

impl Terminal {
    fn start(addr: SocketAddr) -> Terminal {
        Terminal::start_with(addr, TempDir::new().unwrap(), &[])
    }

    fn start_with(addr: SocketAddr, state: TempDir, args: &[&str]) -> Terminal {
        let (screen, keys) = terminal();
        let client = Command::new(KVS)
            .args(["client", "--addr", &addr.to_string()])
            .args(args)
            .env("XDG_STATE_HOME", state.path())
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .stdin(keys.try_clone().unwrap())
            .stdout(keys.try_clone().unwrap())
            .stderr(keys)
            .spawn()
            .unwrap();
        Terminal { screen, client, state }
    }

    fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.screen.write_all(keys.as_ref()).unwrap();
    }

    /// The next byte on the screen; none after the end of the client.
    fn byte(&mut self) -> Option<u8> {
        assert!(is_ready(&self.screen), "nothing more is shown");
        let mut byte = [0];
        // The end is an error here: nobody holds the other side any more.
        self.screen.read_exact(&mut byte).ok().map(|()| byte[0])
    }

    /// Waits until the screen has shown these words since the last call. Returns all that it has shown.
    fn shows(&mut self, message: &str) -> String {
        let mut shown = Vec::new();
        while !shown.ends_with(message.as_bytes()) {
            match self.byte() {
                Some(byte) => shown.push(byte),
                None => panic!("{message:?} in {:?}", String::from_utf8_lossy(&shown)),
            }
        }
        String::from_utf8(shown).unwrap()
    }

    /// Waits for the prompt, and types a line.
    fn types(&mut self, line: &str) {
        self.shows("> ");
        self.press(line);
        self.shows(line);
        self.press("\r");
        self.shows("\n");
    }

    /// Waits for the end of the client, which leaves the terminal as it was.
    fn ends(&mut self) -> ExitStatus {
        while self.byte().is_some() {}
        assert!(tcgetattr(&self.screen).unwrap().local_modes.contains(LocalModes::ICANON));
        self.client.wait().unwrap()
    }
}

fn started() -> (Server, TempDir, Terminal) {
    let (server, dir) = new_kvs_server(&[]);
    let terminal = Terminal::start(server.addr);
    (server, dir, terminal)
}

/// A server that is the test itself, and a client at the prompt that is connected to it.
fn played() -> (TcpListener, Raw, Terminal) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let terminal = Terminal::start(listener.local_addr().unwrap());
    let client = Raw::accept(&listener);
    (listener, client, terminal)
}

fn is_ready(file: impl AsFd) -> bool {
    let within = WATCHDOG.try_into().unwrap();
    poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&within)).unwrap() == 1
}

#[test]
fn a_terminal_gets_a_prompt_that_survives_mistakes_and_the_servers_end() {
    let (mut server, _dir, mut terminal) = started();
    terminal.types("set animal a small crab");
    terminal.types("rm plant");
    terminal.shows("Key not found\r\n");
    terminal.types("fly");
    terminal.shows("`fly` is no command");
    terminal.shows("> ");
    terminal.press(b"set animal caf\xe9 now\r");
    terminal.shows("not UTF-8");
    terminal.types("get animal");
    terminal.shows("a small crab\r\n");
    terminal.shows("> ");
    // A tab completes the name of a command.
    terminal.press("sta\t\r");
    terminal.shows("keys 1\r\n");
    server.kill();
    terminal.types("get animal");
    terminal.shows("cannot connect to");
    terminal.types("quit");
    assert!(terminal.ends().success());
}

#[test]
fn the_prompt_remembers_its_lines_for_the_next_time_and_for_nobody_else() {
    let (server, _dir, mut terminal) = started();
    terminal.types("set animal crab");
    terminal.types("get animal");
    terminal.shows("> ");
    // ctrl-C drops a line, ctrl-D ends.
    terminal.press("half\x03");
    terminal.shows("> ");
    terminal.press("\x04");
    assert!(terminal.ends().success());

    let state = terminal.state;
    let file = state.path().join("kvs/history");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut terminal = Terminal::start_with(server.addr, state, &[]);
    terminal.shows("> ");
    // The key for the line before.
    terminal.press("\x1b[A");
    terminal.shows("get animal");
    terminal.press("\r");
    terminal.shows("crab\r\n");
    terminal.types("quit");
    assert!(terminal.ends().success());
}

/// Also where a line could be taken for the rest of the one before.
#[test]
fn each_line_of_what_is_pasted_is_a_command() {
    let (server, _dir, mut terminal) = started();
    let lines = "set a 1\rset b two\twords\nset c 3\r\nset a 4\rset d 5";
    for paste in [format!("\x1b[200~{lines}\x1b[201~"), lines.to_owned()] {
        terminal.shows("> ");
        terminal.press(paste + "\rrm last\r");
        terminal.shows("Key not found");
        let mut client = KvsClient::connect(server.addr).unwrap();
        for (key, value) in [("a", "4"), ("b", "two\twords"), ("c", "3"), ("d", "5")] {
            assert_eq!(client.get(key.into()).unwrap().as_deref(), Some(value));
            client.remove(key.into()).unwrap();
        }
    }
}

#[test]
fn lines_that_are_typed_while_the_server_is_slow_are_commands_as_they_were_typed() {
    let (_listener, mut client, mut terminal) = played();
    terminal.types("set a 1");
    assert_eq!(client.line(), r#"{"Set":{"key":"a","value":"1"}}"#);
    // A terminal in its usual mode keeps 4095 bytes of a line.
    let long = "x".repeat(6000);
    terminal.press(format!("get e\rset b {long}\rrm c\r"));
    terminal.shows("get e");
    let pid = Pid::from_child(&terminal.client);
    let server = thread::spawn(move || {
        for line in [
            r#"{"Get":{"key":"e"}}"#,
            &format!(r#"{{"Set":{{"key":"b","value":"{long}"}}}}"#),
            r#"{"Remove":{"key":"c"}}"#,
        ] {
            assert_eq!(client.ask(r#"{"Ok":null}"#), line);
        }
        // The terminal is as it was before, also after this.
        kill_process(pid, Signal::INT).unwrap();
    });
    assert_eq!(terminal.ends().signal(), Some(Signal::INT.as_raw()));
    server.join().unwrap();
}

#[test]
fn a_terminal_gets_no_commands_from_a_value_a_message_or_a_line() {
    let (server, _dir, mut terminal) = started();
    let mut client = KvsClient::connect(server.addr).unwrap();
    client.set("k".into(), "\x1b[2J\u{9b}2J\u{202e}".into()).unwrap();
    let json = r#""\u001b[2J\u009b2J\u202e""#;
    terminal.types("get k");
    terminal.shows(json);
    terminal.shows("> ");
    terminal.press("\x1b[200~\u{9b}2J\u{7}\u{202e}\x1b[201~\r");
    let shown = terminal.shows("is no command");
    assert!(!shown.contains(['\u{9b}', '\u{7}', '\u{202e}']), "{shown:?}");
    // From the history.
    terminal.shows("> ");
    terminal.press("\x1b[A");
    assert!(terminal.shows("2J\u{fffd}\u{fffd}").contains("> \u{fffd}2J"));
    terminal.press("\rquit\r");
    assert!(terminal.ends().success());

    let mut terminal = Terminal::start_with(server.addr, terminal.state, &["get", "k"]);
    terminal.shows(json);
    assert!(terminal.ends().success());
}

/// What was never sent is sent, and what changes nothing is sent again; anything else may have been done.
#[test]
fn a_connection_that_is_lost_costs_only_the_write_whose_answer_was_lost_with_it() {
    let (listener, client, mut terminal) = played();
    terminal.shows("> ");
    drop(client);
    terminal.press("set a 1\r");
    let mut client = Raw::accept(&listener);
    assert_eq!(client.line(), r#"{"Set":{"key":"a","value":"1"}}"#);
    client.send_line(r#"{"Ok":null}"#);
    terminal.types("get a");
    assert_eq!(client.line(), r#"{"Get":{"key":"a"}}"#);
    drop(client);
    let mut client = Raw::accept(&listener);
    assert_eq!(client.line(), r#"{"Get":{"key":"a"}}"#);
    client.send_line(r#"{"Ok":"1"}"#);
    terminal.shows("1\r\n");
    terminal.types("rm a");
    assert_eq!(client.line(), r#"{"Remove":{"key":"a"}}"#);
    drop(client);
    terminal.shows("nobody knows whether it was done");
}
