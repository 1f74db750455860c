//! The servers: `final`'s with each of its pools, its peers, and the limit.

mod calls;
pub(crate) mod echo;
pub(crate) mod idle;
mod messages;
mod process;
pub(crate) mod report;
mod rows;
pub(crate) mod run;
pub(crate) mod workloads;

use crate::Outcome;
use messages::Protocol;
use serde::{Deserialize, Serialize};
use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A server, in a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Server {
    KvsQueue,
    KvsRayon,
    KvsNaive,
    Redis,
    Memcached,
    Echo,
}

impl Server {
    /// All, in the order in which they take turns.
    pub(crate) const ALL: &[Server] = &[
        Server::KvsQueue,
        Server::KvsRayon,
        Server::KvsNaive,
        Server::Redis,
        Server::Memcached,
        Server::Echo,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Server::KvsQueue => "kvs-queue",
            Server::KvsRayon => "kvs-rayon",
            Server::KvsNaive => "kvs-naive",
            Server::Redis => "redis",
            Server::Memcached => "memcached",
            Server::Echo => "echo",
        }
    }

    /// The pool of `final`'s server, if it is that.
    fn pool(self) -> Option<&'static str> {
        match self {
            Server::KvsQueue => Some("queue"),
            Server::KvsRayon => Some("rayon"),
            Server::KvsNaive => Some("naive"),
            Server::Redis | Server::Memcached | Server::Echo => None,
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        self.pool().is_some()
    }

    /// Whether ours is compared with it. The echo is no peer but the limit.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Server::Redis | Server::Memcached)
    }

    fn protocol(self) -> Protocol {
        match self {
            Server::KvsQueue | Server::KvsRayon | Server::KvsNaive => Protocol::Kvs,
            Server::Redis => Protocol::Redis,
            Server::Memcached => Protocol::Memcached,
            Server::Echo => Protocol::Echo,
        }
    }

    /// How the table's last lines say that it was started.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Server::KvsQueue => "`kvs server --pool queue --durability os`",
            Server::KvsRayon => "`kvs server --pool rayon --durability os`",
            Server::KvsNaive => "`kvs server --pool naive --durability os`: a thread for each job",
            Server::Redis => "`redis-server --appendonly no --save \"\"`",
            Server::Memcached => "`memcached -t 2`",
            Server::Echo => {
                "one thread and epoll: sends back what it reads, and neither parses nor stores"
            }
        }
    }

    /// What starts it: it will listen at the address, keep its files in the directory and take so
    /// many connections.
    fn command(
        self,
        kvs: &Path,
        addr: SocketAddr,
        dir: &Path,
        connections: u64,
    ) -> Outcome<Command> {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let connections = connections.to_string();
        let dir = dir.to_str().ok_or("the temporary directory's name is no text")?;
        let mut command = match self {
            Server::KvsQueue | Server::KvsRayon | Server::KvsNaive => Command::new(kvs),
            Server::Redis => Command::new("redis-server"),
            Server::Memcached => Command::new("memcached"),
            Server::Echo => Command::new(env::current_exe()?),
        };
        match self {
            Server::KvsQueue | Server::KvsRayon | Server::KvsNaive => command
                .args(["server", "--engine", "kvs", "--durability", "os", "--dir", dir])
                .args(["--addr", &addr.to_string(), "--max-connections", &connections])
                .args(["--pool", self.pool().unwrap_or_default()]),
            // Some of its versions take no 127.1.0.1 for this machine.
            Server::Redis => command
                .args(["--protected-mode", "no"])
                .args(["--bind", &ip, "--port", &port, "--tcp-backlog", "4096", "--dir", dir])
                .args(["--appendonly", "no", "--save", "", "--maxclients", &connections]),
            // It refuses to be root by accident; who is not root has no use for `-u`.
            Server::Memcached => command
                .args(["-l", &ip, "-p", &port, "-b", "4096", "-u", "root"])
                .args(["-t", "2", "-c", &connections]),
            Server::Echo => command.args(["echo", &addr.to_string()]),
        };
        Ok(command)
    }

    /// The version, if it is a program of somebody else's.
    ///
    /// # Errors
    /// In words, if the program is not there.
    fn version(self) -> Outcome<Option<String>> {
        match self {
            Server::Redis => version("redis-server", "--version").map(Some),
            Server::Memcached => version("memcached", "--version").map(Some),
            _ => Ok(None),
        }
    }
}

/// What a program says of its version: the first word that has a digit and a dot.
fn version(program: &str, option: &str) -> Outcome<String> {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("`{program}` cannot be started: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |word: &&str| word.contains('.') && word.contains(|c: char| c.is_ascii_digit());
    let word = text.split_whitespace().find(number);
    let word = word.ok_or_else(|| format!("`{program} {option}` names no version"))?;
    Ok(word.trim_start_matches("v=").to_owned())
}
