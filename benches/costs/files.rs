//! What is done with a file: what it costs on disk, and in memory.

use crate::measure::{Cost, Figures, Variant, repeat, timed};
use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tempfile::TempDir;

/// A file system that keeps files in memory, where there is one.
const MEMORY: &str = "/dev/shm";

const READ: usize = 1024;
/// The file that is read has so many pieces.
const PIECES: u64 = 1024;
const RECORD: [u8; 100] = [b'x'; 100];

pub(crate) fn costs() -> Vec<Cost> {
    let mut costs = vec![Cost {
        name: "file",
        operation: "a file in the temporary directory: 1 KiB of it is read, 100 bytes are appended",
        variants: variants(TempDir::new),
    }];
    if TempDir::new_in(MEMORY).is_ok() {
        costs.push(Cost {
            name: "file-in-memory",
            operation: "the same in a file system that has no disk",
            variants: variants(|| TempDir::new_in(MEMORY)),
        });
    }
    costs
}

/// Does something so many times in a directory.
type Work = fn(&Path, u64) -> Figures;

fn variants(dir: fn() -> io::Result<TempDir>) -> Vec<Variant> {
    let works: [(&str, Work); 8] = [
        ("open-and-close", open_and_close),
        ("try-clone-and-close", try_clone_and_close),
        ("seek-and-read", seek_and_read),
        ("read-at", read_at),
        ("open-seek-read-close", open_seek_read_close),
        ("append", append),
        ("append-buffered", append_buffered),
        ("append-and-sync", append_and_sync),
    ];
    let variant = |(name, work): (&'static str, Work)| {
        Variant::new(name, 1, move |budget| {
            let dir = dir().unwrap();
            let mut file = File::create(dir.path().join("pieces")).unwrap();
            for number in 0..PIECES {
                file.write_all(&[number as u8; READ]).unwrap();
            }
            repeat(budget, |times| work(dir.path(), times))
        })
    };
    works.map(variant).into()
}

fn pieces(dir: &Path) -> File {
    File::open(dir.join("pieces")).unwrap()
}

fn open_and_close(dir: &Path, times: u64) -> Figures {
    let path = dir.join("pieces");
    timed(times, || {
        for _ in 0..times {
            drop(black_box(File::open(&path).unwrap()));
        }
    })
}

fn try_clone_and_close(dir: &Path, times: u64) -> Figures {
    let file = pieces(dir);
    timed(times, || {
        for _ in 0..times {
            drop(black_box(file.try_clone().unwrap()));
        }
    })
}

/// Reads pieces far from one another, and looks whether each is the one that it asked for.
fn reads(times: u64, mut read: impl FnMut(&mut [u8], u64)) -> Figures {
    let mut piece = [0; READ];
    timed(times, || {
        for time in 0..times {
            let number = time * 389 % PIECES;
            read(&mut piece, number * READ as u64);
            assert_eq!([piece[0], piece[READ - 1]], [number as u8; 2]);
        }
    })
}

fn seek_and_read(dir: &Path, times: u64) -> Figures {
    let mut file = pieces(dir);
    reads(times, |piece, offset| {
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.read_exact(piece).unwrap();
    })
}

fn read_at(dir: &Path, times: u64) -> Figures {
    let file = pieces(dir);
    reads(times, |piece, offset| file.read_exact_at(piece, offset).unwrap())
}

fn open_seek_read_close(dir: &Path, times: u64) -> Figures {
    let path = dir.join("pieces");
    reads(times, |piece, offset| {
        let mut file = File::open(&path).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.read_exact(piece).unwrap();
    })
}

/// Appends to an empty file, by a writer that is made from it, and looks how long it is then.
fn appends<W>(
    dir: &Path,
    times: u64,
    writer: impl FnOnce(File) -> W,
    append: impl Fn(&mut W),
) -> Figures {
    let path = dir.join("appended");
    let mut writer = writer(File::create(&path).unwrap());
    let figures = timed(times, || {
        (0..times).for_each(|_| append(&mut writer));
        drop(writer);
    });
    assert_eq!(path.metadata().unwrap().len(), times * RECORD.len() as u64);
    figures
}

fn append(dir: &Path, times: u64) -> Figures {
    appends(dir, times, |file| file, |file| file.write_all(&RECORD).unwrap())
}

fn append_buffered(dir: &Path, times: u64) -> Figures {
    appends(dir, times, BufWriter::new, |writer| writer.write_all(&RECORD).unwrap())
}

fn append_and_sync(dir: &Path, times: u64) -> Figures {
    let append = |file: &mut File| {
        file.write_all(&RECORD).unwrap();
        file.sync_data().unwrap();
    };
    appends(dir, times, |file| file, append)
}
