//! A server that works without rest: what it takes from the machine does not grow.

use super::row::{Outcome, Size, count, failed};
use super::support::process::{kvs_server, open_files, resident, threads};
use super::support::server::Server;
use fastrand::Rng;
use kvs_final::KvsClient;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CLIENTS: u64 = 8;
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
    /// clients get ahead of one is a matter of how fast the disk syncs.
    fn most(samples: &[Usage]) -> Usage {
        let most = |part: fn(&Usage) -> u64| samples.iter().map(part).max().unwrap_or_default();
        Usage {
            memory: most(|usage| usage.memory),
            files: most(|usage| usage.files),
            threads: most(|usage| usage.threads),
            disk: samples.iter().map(|usage| usage.disk).min().unwrap_or_default(),
            live: most(|usage| usage.live),
            sent: most(|usage| usage.sent),
        }
    }

    /// Whether this, later, is no more than that was, but for what comes and goes.
    fn is_within(self, before: Usage) -> bool {
        self.memory <= before.memory + before.memory / 5 + (4 << 20)
            && self.files <= before.files + 4
            && self.threads <= before.threads
            // Most of what they send is values, and is dead soon.
            && self.disk <= 2 * self.live + self.sent / 10
    }
}

/// Asks without rest, on keys of its own, and checks each answer.
fn ask(client: &mut KvsClient, number: u64, done: &AtomicBool) -> Result<u64, String> {
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

fn soak(time: Duration, leaks: bool) -> Result<(u64, Usage, Usage), String> {
    let dir = TempDir::new().unwrap();
    let server = kvs_server(&["--threads", "2"], &dir);
    let (done, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut leaked = Vec::new();
    let samples: Result<Vec<Usage>, String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = KvsClient::connect(server.addr).unwrap();
                let (done, asked) = (&done, &asked);
                scope.spawn(move || {
                    let count = ask(&mut client, number, done)?;
                    asked.fetch_add(count, Ordering::Relaxed);
                    Ok::<(), String>(())
                })
            })
            .collect();
        let mut client = KvsClient::connect(server.addr).unwrap();
        let start = Instant::now();
        let samples = (1..=SAMPLES).map(|number| {
            thread::sleep(
                (start + time * number / SAMPLES).saturating_duration_since(Instant::now()),
            );
            if leaks {
                leaked.push(TcpStream::connect(server.addr).unwrap());
            }
            Usage::of(&server, dir.path(), &mut client)
        });
        let samples = samples.collect();
        done.store(true, Ordering::Relaxed);
        clients.into_iter().try_for_each(|client| client.join().unwrap()).and(samples)
    });
    let samples = samples?;
    // The first quarter is for warming up.
    let quarter = samples.len() / 4;
    let before = Usage::most(&samples[quarter..2 * quarter]);
    let after = Usage::most(&samples[3 * quarter..]);
    if !after.is_within(before) {
        return Err(format!("at first {before:?}, later {after:?}"));
    }
    Ok((asked.into_inner(), before, after))
}

pub(crate) fn without_growth(size: Size) -> Outcome {
    let time = Duration::from_secs(size.pick(60, 1_800));
    let (asked, before, after) = soak(time, false).map_err(failed(size.seed))?;
    let mebibytes = |bytes: u64| bytes >> 20;
    Ok(vec![
        count(time.as_secs(), "seconds", 60),
        count(asked, "requests of 8 clients", 100_000),
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

/// Something opens a connection now and then and forgets it.
pub(crate) fn of_connections_that_leak(size: Size) -> Outcome {
    soak(Duration::from_secs(8), true).map_err(failed(size.seed))?;
    Ok(Vec::new())
}
