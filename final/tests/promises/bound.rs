//! A store that is overwritten as fast as it can be, on a disk with just enough room.

use super::failing_disk::SmallDisk;
use super::*;
use kvs_final::Result;
use rustix::fs::statvfs;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

/// So many threads write.
const WRITERS: u64 = 2;
/// So many writes of a client are under way at a time.
const UNDER_WAY: usize = 64;

/// How far it goes, and what came of it.
struct Load {
    len: u64,
    segment: u64,
    through_server: bool,
    /// So many bytes of values, or for so long.
    bytes: u64,
    time: Duration,
}

impl Load {
    /// Live bytes, of which there are as many as fit into two segments.
    fn live(&self) -> u64 {
        2 * self.segment
    }

    /// As much garbage as live data, four segments of it, and the copies of a step, with one that has just begun.
    fn room(&self) -> u64 {
        2 * self.live() + 7 * self.segment
    }

    /// Overwrites keys of this writer's in turn. Returns how much was written.
    fn write(&self, writer: u64, store: &KvStore, server: Option<&Local>) -> Result<u64> {
        // With its header and its key.
        let keys = self.live() / (self.len + 40) / WRITERS;
        let (start, mut written, mut pending) = (Instant::now(), 0, VecDeque::new());
        let mut client = server.map(|server| KvsClient::connect(server.addr)).transpose()?;
        for key in (writer * keys..(writer + 1) * keys).cycle() {
            written += self.len;
            if written > self.bytes / WRITERS && start.elapsed() >= self.time {
                break;
            }
            let (key, value) = (key.to_string(), "v".repeat(self.len as usize));
            match &mut client {
                None => store.set(key, value)?,
                Some(client) => pending.push_back(client.submit_set(key, value)?),
            }
            if pending.len() > UNDER_WAY {
                pending.pop_front().map_or(Ok(()), |first| first.wait())?;
            }
        }
        pending.into_iter().try_for_each(|rest| rest.wait())?;
        Ok(written)
    }

    /// Returns how much was written, and how much of the disk was in use at most.
    fn run(&self, fault: &str) -> result::Result<(u64, u64), String> {
        let disk = SmallDisk::new(self.room())?;
        let late = if fault.is_empty() { self.segment } else { self.room() };
        let options = KvStoreOptions::new().durability(Durability::Os).spare_garbage(4);
        let options = options.segment_bytes(self.segment as u32).compact_at(late);
        let store = options.open(disk.path().join("store")).map_err(|error| error.to_string())?;
        let server = self.through_server.then(|| Local::start(store.clone(), Limits::default()));
        // Only ends the sampling, and the sum is read after the threads' end: `Relaxed`.
        let (done, largest) = (AtomicBool::new(false), AtomicU64::new(0));
        let written = thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let disk = statvfs(disk.path()).unwrap();
                    let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
                    largest.fetch_max(used, Ordering::Relaxed);
                    thread::sleep(Duration::from_micros(200));
                }
            });
            let (store, server) = (&store, server.as_ref());
            let write = |writer| scope.spawn(move || self.write(writer, store, server));
            let writers: Vec<_> = (0..WRITERS).map(write).collect();
            let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
            done.store(true, Ordering::Relaxed);
            written.into_iter().map(|written| written.unwrap()).sum::<Result<u64>>()
        });
        let written = written.map_err(|error| format!("a write was refused: {error}"))?;
        Ok((written, largest.into_inner()))
    }
}

pub(crate) fn holds(run: Run) -> Outcome {
    let (segment, time) = if run.deep { (64 << 20, 60) } else { (1 << 20, 0) };
    let (mut all, mut most, bytes) = (0, 0, 64 << 20);
    for len in [100 << 10, 1 << 10, 16] {
        for through_server in [false, true] {
            let time = Duration::from_secs(time);
            let load = Load { len, segment, through_server, bytes, time };
            let (written, largest) = load.run(run.fault).map_err(|error| {
                format!("values of {len} bytes, through a server: {through_server}: {error}")
            })?;
            (all, most) = (all + written, most.max(100 * largest / load.room()));
        }
    }
    Ok(vec![
        count(all >> 20, "MiB of values written", 6 * (bytes >> 20)),
        count(most, "% of the room in use at most", 1),
    ])
}
