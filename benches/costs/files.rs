//! What is done with a file: what it costs on disk, and in memory.

use criterion::{BenchmarkId, Criterion};
use kvs_bench_kit::options::in_memory;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const READ: usize = 1024;
/// The file that is read has so many pieces.
const PIECES: u64 = 1024;
const RECORD: [u8; 100] = [b'x'; 100];

pub(crate) fn costs(criterion: &mut Criterion) {
    in_dir(criterion, "file", TempDir::new().unwrap().path());
    in_dir(criterion, "file-in-memory", TempDir::new_in(in_memory()).unwrap().path());
}

/// 1 KiB of a file is read, and 100 bytes are appended to one.
fn in_dir(criterion: &mut Criterion, name: &str, dir: &Path) {
    let path = &dir.join("pieces");
    let mut file = File::create(path).unwrap();
    for number in 0..PIECES {
        file.write_all(&[number as u8; READ]).unwrap();
    }
    let mut file = File::open(path).unwrap();
    let mut group = criterion.benchmark_group(name);
    let mut bench = |name, run: &mut dyn FnMut(u64) -> Duration| {
        group.bench_function(BenchmarkId::new(name, 1), |b| b.iter_custom(&mut *run));
    };
    bench("seek-and-read", &mut |times| {
        reads(times, |piece, offset| {
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.read_exact(piece).unwrap();
        })
    });
    bench("read-at", &mut |times| {
        reads(times, |piece, offset| file.read_exact_at(piece, offset).unwrap())
    });
    bench("append", &mut |times| appends(dir, times, |_| ()));
    bench("append-and-sync", &mut |times| appends(dir, times, |file| file.sync_data().unwrap()));
}

/// Reads pieces far from one another, and looks whether each is the one that it asked for.
fn reads(times: u64, mut read: impl FnMut(&mut [u8], u64)) -> Duration {
    let mut piece = [0; READ];
    let start = Instant::now();
    for time in 0..times {
        let number = time * 389 % PIECES;
        read(&mut piece, number * READ as u64);
        assert_eq!([piece[0], piece[READ - 1]], [number as u8; 2]);
    }
    start.elapsed()
}

/// Appends to an empty file, and looks how long it is then.
fn appends(dir: &Path, times: u64, after_each: impl Fn(&File)) -> Duration {
    let mut file = File::create(dir.join("appended")).unwrap();
    let start = Instant::now();
    for _ in 0..times {
        file.write_all(&RECORD).unwrap();
        after_each(&file);
    }
    let time = start.elapsed();
    assert_eq!(file.metadata().unwrap().len(), times * RECORD.len() as u64);
    time
}
