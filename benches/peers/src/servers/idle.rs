//! Connections that are open and say nothing. A process of its own holds them: they take as many
//! descriptors there as in the server.

use crate::Outcome;
use std::env;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

/// Opens so many connections, says so, and holds them until the input ends.
pub(crate) fn hold(addr: SocketAddr, count: u64) -> Outcome<()> {
    let open = |number| {
        TcpStream::connect(addr).map_err(|e| format!("idle connection {number} of {count}: {e}"))
    };
    let connections = (1..=count).map(open).collect::<Result<Vec<_>, _>>()?;
    println!("{}", connections.len());
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// The process that holds them, as long as this lives.
pub(super) struct Idle(Child);

impl Idle {
    /// Returns when all are open.
    pub(super) fn start(addr: SocketAddr, count: u64) -> Outcome<Idle> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["idle", &addr.to_string(), &count.to_string()]);
        let mut idle = Idle(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut line = String::new();
        let output = idle.0.stdout.as_mut().ok_or("the process has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        if line.trim() == count.to_string() {
            Ok(idle)
        } else {
            Err(format!("no {count} idle connections were opened").into())
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // If it has ended by itself there is nothing to kill; `wait` takes it in both cases.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
