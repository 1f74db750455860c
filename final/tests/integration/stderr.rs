//! A stderr that takes nothing.

use crate::{KVS, kvs_server};
use kvs_final::KvsClient;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

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
