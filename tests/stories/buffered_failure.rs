//! The `BufWriter` that keeps the bytes of a failed write and writes them later.
//!
//! A `set` fails because the disk is full, and the client is told so. Somebody makes room. The next
//! `set` succeeds, and its flush writes what is in the buffer: also the record of the `set` that has
//! failed. After a restart a value is there that no client was promised, or half a record is.

use kvs_test_kit::child::Child;
use lock_free::{KvStore, KvsEngine, KvsError};
use std::io::{self, BufWriter, ErrorKind, Write};

/// A disk that is full until somebody makes room.
#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    has_room: bool,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.has_room {
            return Err(ErrorKind::StorageFull.into());
        }
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn set(log: &mut BufWriter<Disk>, record: &str) -> io::Result<()> {
    writeln!(log, "{record}")?;
    log.flush()
}

#[test]
fn a_write_that_has_failed_is_written_with_the_next_one() {
    let mut log = BufWriter::new(Disk::default());
    let error = set(&mut log, "set a").unwrap_err();
    println!("the client is told: {error}");
    log.get_mut().has_room = true;
    set(&mut log, "set b").unwrap();
    assert_eq!(log.get_ref().bytes, b"set a\nset b\n");
}

/// Its appends have no buffer, and cut back what a failed one has written of its record. A file may
/// be 8 blocks long in the process of this story, so that a longer record is written in part.
#[test]
fn a_write_of_stage_7_that_has_failed_leaves_nothing_behind() {
    let mut child = Child::runs_after("trap '' XFSZ; ulimit -f 8", || {
        let store = KvStore::open(".").unwrap();
        let error = store.set("a".to_owned(), "long".repeat(100_000)).unwrap_err();
        assert!(matches!(error, KvsError::File { .. }), "{error}");
        eprintln!("the client is told: {error}");
        store.set("b".to_owned(), "short".to_owned()).unwrap();
        drop(store);
        let store = KvStore::open(".").unwrap();
        assert_eq!(store.get("a".to_owned()).unwrap(), None);
        assert_eq!(store.get("b".to_owned()).unwrap(), Some("short".to_owned()));
    });
    child.says("the client is told: ");
    assert!(child.end().success());
}
