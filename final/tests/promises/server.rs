//! The program `kvs server`, by itself and under `strace`, and programs that only have to succeed.

use super::*;

pub(crate) const KVS: &str = env!("CARGO_BIN_EXE_kvs");

/// The number of the signal.
pub(crate) const KILL: i32 = 9;

/// A server with these options, in a directory that is made if need be.
pub(crate) fn kvs_server(options: &[&str], dir: &Path) -> Server {
    kvs_server_at("127.0.0.1:0", options, dir)
}

/// The same at another address.
pub(crate) fn kvs_server_at(addr: &str, options: &[&str], dir: &Path) -> Server {
    Server::start_at(addr, Command::new(KVS).arg("server").args(options), dir).unwrap()
}

/// A server under `strace` with options of both. It is our child, and `strace` is not.
pub(crate) fn under_strace(strace: &[&str], kvs: &[&str], dir: &Path) -> Result<Server, String> {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq"]).args(strace).args([KVS, "server"]).args(kvs);
    Server::start(&mut command, dir)
}

/// Whether `strace` can be used here.
pub(crate) fn needs_strace() -> Result<(), String> {
    run(Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]))
}

/// Runs a program that has to succeed. If it doesn't, says what it has said.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
