//! What is done with a file: what it costs on disk, and in memory.

use crate::measure::{Costs, Group, Run, timed};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tempfile::TempDir;

/// A file system that keeps files in memory, where there is one.
const MEMORY: &str = "/dev/shm";

const READ: usize = 1024;
/// The file that is read has so many pieces.
const PIECES: u64 = 1024;
const RECORD: [u8; 100] = [b'x'; 100];

pub(crate) fn costs(costs: &mut Costs) {
    in_dir(costs.group("file"), TempDir::new().unwrap().path());
    if let Ok(dir) = TempDir::new_in(MEMORY) {
        in_dir(costs.group("file-in-memory"), dir.path());
    }
}

/// 1 KiB of a file is read, and 100 bytes are appended to one.
fn in_dir(mut group: Group<'_>, dir: &Path) {
    let path = &dir.join("pieces");
    let mut file = File::create(path).unwrap();
    for number in 0..PIECES {
        file.write_all(&[number as u8; READ]).unwrap();
    }
    let mut file = File::open(path).unwrap();
    group.bench_one("open-and-close", || File::open(path).unwrap());
    group.bench_one("try-clone-and-close", || file.try_clone().unwrap());
    group.bench("seek-and-read", 1, |times| {
        reads(times, |piece, offset| {
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.read_exact(piece).unwrap();
        })
    });
    group.bench("read-at", 1, |times| {
        reads(times, |piece, offset| file.read_exact_at(piece, offset).unwrap())
    });
    group.bench("open-seek-read-close", 1, |times| {
        reads(times, |piece, offset| {
            let mut file = File::open(path).unwrap();
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.read_exact(piece).unwrap();
        })
    });
    let write = |file: &mut File| file.write_all(&RECORD).unwrap();
    group.bench("append", 1, |times| appends(dir, times, |file| file, write));
    group.bench("append-buffered", 1, |times| {
        appends(dir, times, BufWriter::new, |writer| writer.write_all(&RECORD).unwrap())
    });
    group.bench("append-and-sync", 1, |times| {
        appends(
            dir,
            times,
            |file| file,
            |file| {
                write(file);
                file.sync_data().unwrap();
            },
        )
    });
}

/// Reads pieces far from one another, and looks whether each is the one that it asked for.
fn reads(times: u64, mut read: impl FnMut(&mut [u8], u64)) -> Run {
    let mut piece = [0; READ];
    timed(|| {
        for time in 0..times {
            let number = time * 389 % PIECES;
            read(&mut piece, number * READ as u64);
            assert_eq!([piece[0], piece[READ - 1]], [number as u8; 2]);
        }
    })
}

/// Appends to an empty file, by a writer that is made from it, and looks how long it is then.
fn appends<W>(
    dir: &Path,
    times: u64,
    writer: impl FnOnce(File) -> W,
    append: impl Fn(&mut W),
) -> Run {
    let path = dir.join("appended");
    let mut writer = writer(File::create(&path).unwrap());
    let run = timed(|| {
        (0..times).for_each(|_| append(&mut writer));
        drop(writer);
    });
    assert_eq!(path.metadata().unwrap().len(), times * RECORD.len() as u64);
    run
}
