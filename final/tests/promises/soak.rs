//! A server that works without rest, for clients that stay and for others that come and go: what it
//! takes from the machine does not grow.

use super::row::{Outcome, Size, count, failed};
use super::support::process::{kvs_server, open_files, resident, threads};
use super::support::server::Server;
use super::support::sigterm::{NOTHING, set};
use super::support::visits::{LARGE, Visit, ask, connect};
use fastrand::Rng;
use kvs_final::KvsClient;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// So many clients stay, and one looks at the figures.
const CLIENTS: u64 = 8;
/// So many threads have clients that come and go.
const VISITORS: u64 = 2;
/// So many of those there may be at a time; one more is refused.
const ROOM: u32 = 4;
/// Of each client; some are removed, so there are fewer.
const KEYS: u32 = 500;
const SAMPLES: u32 = 40;

/// What a server has of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Usage {
    memory: u64,
    files: u64,
    threads: u64,
    disk: u64,
    /// Of the bytes on disk, those that are needed.
    live: u64,
    /// What the clients have sent so far, in bytes.
    sent: u64,
}

impl Usage {
    fn of(server: &Server, dir: &Path, client: &mut KvsClient) -> Result<Usage, String> {
        let pid = server.child.id();
        let sizes = fs::read_dir(dir).unwrap().filter_map(|file| file.unwrap().metadata().ok());
        let disk = sizes.map(|file| file.len()).sum();
        let stats = client.stats().map_err(|error| error.to_string())?;
        let figure = |name: &str| {
            let value = stats.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
            value.ok_or_else(|| format!("no{name}"))
        };
        Ok(Usage {
            memory: resident(pid),
            files: open_files(pid) as u64,
            threads: threads(pid, "").0 as u64,
            disk,
            live: figure("live_bytes ")?,
            sent: figure("bytes_in ")?,
        })
    }

    /// The most of each; but of the disk the least, which is what a compaction leaves: how far the
    /// clients get ahead of one is a matter of how fast the disk syncs. And of the files the least,
    /// because clients come and go.
    fn over(samples: &[Usage]) -> Usage {
        let most = |part: fn(&Usage) -> u64| samples.iter().map(part).max().unwrap_or_default();
        let least = |part: fn(&Usage) -> u64| samples.iter().map(part).min().unwrap_or_default();
        Usage {
            memory: most(|usage| usage.memory),
            files: least(|usage| usage.files),
            threads: most(|usage| usage.threads),
            disk: least(|usage| usage.disk),
            live: most(|usage| usage.live),
            sent: most(|usage| usage.sent),
        }
    }

    /// What this, later, has more of than that had, beside what comes and goes.
    fn grown(self, before: Usage) -> Option<&'static str> {
        let grown = [
            ("memory", self.memory > before.memory + before.memory / 5 + (4 << 20)),
            ("files", self.files > before.files + 4),
            ("threads", self.threads > before.threads),
            // Most of what they send is values, and is dead soon.
            ("disk", self.disk > 2 * self.live + self.sent / 10),
        ];
        grown.iter().find_map(|(what, more)| more.then_some(*what))
    }
}

/// Asks without rest, on keys of its own, and checks each answer.
fn ask_without_rest(client: &mut KvsClient, number: u64, done: &AtomicBool) -> Result<u64, String> {
    let mut random = Rng::with_seed(number);
    let mut values: Vec<Option<String>> = vec![None; KEYS as usize];
    let mut count = 0;
    while !done.load(Ordering::Relaxed) {
        let at = random.u32(0..KEYS);
        let (key, value) = (format!("{number}-{at}"), &mut values[at as usize]);
        let words = |error: kvs_final::KvsError| format!("{key}: {error}");
        match random.u8(0..20) {
            0..=9 => {
                let found = client.get(key.clone()).map_err(words)?;
                if found != *value {
                    return Err(format!("{key} is not what was written"));
                }
            }
            10..=11 if value.take().is_some() => client.remove(key.clone()).map_err(words)?,
            _ => {
                let new = format!("{count} {}", "v".repeat(random.usize(0..2_000)));
                *value = Some(new.clone());
                client.set(key.clone(), new).map_err(words)?;
            }
        }
        count += 1;
    }
    Ok(count)
}

/// What is planted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leak {
    Nothing,
    /// Something opens a connection now and then and forgets it.
    Connections,
    /// Each client that comes and goes leaves a key of 4 KiB in the server's memory.
    Memory,
}

/// How many clients came and went, and what became of them. Read at the end only: `Relaxed`.
#[derive(Default)]
struct Visits {
    served: AtomicU64,
    /// One too many.
    refused: AtomicU64,
    /// They sent what is no request.
    mistaken: AtomicU64,
    broken_off: AtomicU64,
}

impl Visits {
    fn note(&self, visit: Visit, said: &str) -> Result<(), String> {
        let count = match visit {
            _ if said.contains("too many connections") => &self.refused,
            // Who asks before it reads may be cut off before it reads.
            Visit::Asks | Visit::Errs if said.is_empty() => &self.refused,
            Visit::Asks if said.trim_end() == NOTHING => &self.served,
            Visit::Errs if said.contains("not a message of the protocol") => &self.mistaken,
            Visit::IsSilent | Visit::AsksByHalf | Visit::Vanishes => &self.broken_off,
            _ => return Err(format!("{visit:?} and gets {said}")),
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// One after the other they come and go: alone, and now and then a crowd of so many at once, for
    /// which there is no room.
    fn pay(
        &self,
        addr: SocketAddr,
        mut requests: impl Iterator<Item = String>,
        crowd: u32,
        done: &AtomicBool,
    ) -> Result<(), String> {
        let mut random = Rng::with_seed(0);
        while let (false, Some(request)) = (done.load(Ordering::Relaxed), requests.next()) {
            if let Some(visit) = random.choice(Visit::ALL) {
                self.note(visit, &visit.pay(addr, &request))?;
            }
            if crowd > 0 && random.u8(0..20) == 0 {
                let mut crowd: Vec<TcpStream> = (0..crowd).map(|_| connect(addr)).collect();
                let said: Vec<String> =
                    crowd.iter_mut().map(|client| ask(client, &request)).collect();
                said.iter().try_for_each(|said| self.note(Visit::Asks, said))?;
                if said.iter().all(|said| said.trim_end() == NOTHING) {
                    return Err(format!("{} at once are one too many, and are served", said.len()));
                }
            }
        }
        Ok(())
    }
}

/// What was asked, who came and went, and what the server had at first and later.
struct Soaked {
    asked: u64,
    visits: Visits,
    before: Usage,
    after: Usage,
}

fn soak(time: Duration, leak: Leak) -> Result<Soaked, String> {
    let dir = TempDir::new().unwrap();
    // What is forgotten takes none of the others' room. Then there is no crowd: how many of it are
    // there at the moment of a sample would hide what is forgotten.
    let (room, crowd) = match leak {
        Leak::Connections => (ROOM + SAMPLES, 0),
        Leak::Nothing | Leak::Memory => (ROOM, ROOM + 1),
    };
    let limit = (CLIENTS + 1 + u64::from(room)).to_string();
    let server = kvs_server(&["--threads", "2", "--max-connections", &limit], &dir);
    let connect = || KvsClient::connect(server.addr).unwrap();
    let (done, asked, visits) = (AtomicBool::new(false), AtomicU64::new(0), Visits::default());
    let mut leaked = Vec::new();
    let samples: Result<Vec<Usage>, String> = thread::scope(|scope| {
        let mut clients = Vec::new();
        let mut watch = connect();
        watch.set("large".to_owned(), "v".repeat(LARGE)).unwrap();
        for number in 0..CLIENTS {
            let mut client = connect();
            let (done, asked) = (&done, &asked);
            clients.push(scope.spawn(move || {
                let count = ask_without_rest(&mut client, number, done)?;
                asked.fetch_add(count, Ordering::Relaxed);
                Ok::<(), String>(())
            }));
        }
        for number in 0..VISITORS {
            let key = move |visit| match leak {
                Leak::Memory => format!("{visit:04096}"),
                _ => "visit".to_owned(),
            };
            let requests =
                (number..).step_by(VISITORS as usize).map(move |visit| set(&key(visit), "v"));
            let (visits, done, addr) = (&visits, &done, server.addr);
            clients.push(scope.spawn(move || visits.pay(addr, requests, crowd, done)));
        }
        let start = Instant::now();
        let samples = (1..=SAMPLES).map(|number| {
            thread::sleep(
                (start + time * number / SAMPLES).saturating_duration_since(Instant::now()),
            );
            if leak == Leak::Connections {
                leaked.push(TcpStream::connect(server.addr).unwrap());
            }
            Usage::of(&server, dir.path(), &mut watch)
        });
        let samples = samples.collect();
        done.store(true, Ordering::Relaxed);
        clients.into_iter().try_for_each(|client| client.join().unwrap()).and(samples)
    });
    let samples = samples?;
    // The first quarter is for warming up.
    let quarter = samples.len() / 4;
    let before = Usage::over(&samples[quarter..2 * quarter]);
    let after = Usage::over(&samples[3 * quarter..]);
    match after.grown(before) {
        Some(what) => Err(format!("more {what}: at first {before:?}, later {after:?}")),
        None => Ok(Soaked { asked: asked.into_inner(), visits, before, after }),
    }
}

pub(crate) fn without_growth(size: Size) -> Outcome {
    let time = Duration::from_secs(size.pick(60, 1_800));
    let Soaked { asked, visits, before, after } =
        soak(time, Leak::Nothing).map_err(failed(size.seed))?;
    let mebibytes = |bytes: u64| bytes >> 20;
    Ok(vec![
        count(time.as_secs(), "seconds", size.pick(60, 1_800)),
        count(asked, "requests of 8 clients that stay", size.pick(100_000, 3_000_000)),
        count(
            visits.served.into_inner(),
            "clients that come, are served and go",
            size.pick(1_000, 30_000),
        ),
        count(visits.refused.into_inner(), "refused as one too many", size.pick(1_000, 30_000)),
        count(visits.mistaken.into_inner(), "with no request", size.pick(1_000, 30_000)),
        count(
            visits.broken_off.into_inner(),
            "that are gone in the middle",
            size.pick(1_000, 30_000),
        ),
        count(
            mebibytes(before.memory),
            "MiB of memory at most in the second quarter of the time",
            1,
        ),
        count(mebibytes(after.memory), "in the last", 1),
        count(mebibytes(after.sent), "MiB sent by the clients", 1),
        count(mebibytes(after.live), "MiB live", 1),
        count(mebibytes(after.disk), "MiB on disk after a compaction", 1),
    ])
}

pub(crate) fn of_connections_that_leak(size: Size) -> Outcome {
    soak(Duration::from_secs(8), Leak::Connections).map_err(failed(size.seed))?;
    Ok(Vec::new())
}

pub(crate) fn of_memory_that_leaks(size: Size) -> Outcome {
    // So long that half as many clients would do: how many come is a matter of how busy the machine is.
    soak(Duration::from_secs(16), Leak::Memory).map_err(failed(size.seed))?;
    Ok(Vec::new())
}
