//! A server as a process of its own, from its start to its end.

use crate::Outcome;
use crate::load::{Exchange, ask, connect};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server that has not answered until then does not start.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Process {
    child: Child,
    pub(super) addr: SocketAddr,
}

impl Process {
    /// Starts it, and returns when all these exchanges are done. What it says on its way is thrown
    /// away, unless it ends: then it is part of the error.
    pub(super) fn start(
        mut command: Command,
        addr: SocketAddr,
        dir: &Path,
        preload: &[Exchange],
    ) -> Outcome<Process> {
        let words = dir.join("stderr");
        let program = command.get_program().to_string_lossy().into_owned();
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(File::create(&words)?).spawn();
        let child = child.map_err(|e| format!("{program}: {e}"))?;
        let mut process = Process { child, addr };
        process.wait_until_it_listens(&program, &words)?;
        let mut connection = connect(Ipv4Addr::LOCALHOST, addr)?;
        let mut buffer = Vec::new();
        for exchange in preload {
            ask(&mut connection, exchange, &mut buffer)?;
        }
        Ok(process)
    }

    fn wait_until_it_listens(&mut self, program: &str, words: &Path) -> Outcome<()> {
        let start = Instant::now();
        while let Err(error) = connect(Ipv4Addr::LOCALHOST, self.addr) {
            if let Some(status) = self.child.try_wait()? {
                let words = fs::read_to_string(words)?;
                return Err(format!("{program} ended with {status}: {}", words.trim()).into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{program} does not listen: {error}").into());
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended by itself there is nothing to kill; `wait` takes it in both cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens at. Not every server can choose its port and say so.
pub(super) fn free_addr() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
