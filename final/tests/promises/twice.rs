//! Two power cuts in a row, each at the moment at which it is worst for a file that is appended to.
//!
//! At the first the bytes of a write are on the disk, and the file's length is not. At the second the
//! length of the next write is, and its bytes are not. ext4 then shows those of the first.

use super::row::{Outcome, Size, Stop, count, failed};
use super::support::power::Powered;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What has a value, which it writes to the end of a file.
trait Log: Sized {
    fn open(dir: &Path) -> Result<Self>;
    fn write(&mut self, value: &str) -> Result<()>;
    fn sync(&mut self) -> Result<()>;
    fn value(&mut self) -> Result<String>;
    fn file(dir: &Path) -> PathBuf;
}

impl Log for KvStore {
    fn open(dir: &Path) -> Result<KvStore> {
        KvStoreOptions::new().durability(Durability::Os).open(dir)
    }

    fn write(&mut self, value: &str) -> Result<()> {
        self.set("key".to_owned(), value.to_owned())
    }

    fn sync(&mut self) -> Result<()> {
        KvStore::sync(self)
    }

    fn value(&mut self) -> Result<String> {
        Ok(self.get("key".to_owned())?.unwrap_or_default())
    }

    fn file(dir: &Path) -> PathBuf {
        dir.join("0000000001.seg")
    }
}

/// A file of values of three letters, of which the last one counts.
struct Plain(PathBuf);

impl Log for Plain {
    fn open(dir: &Path) -> Result<Plain> {
        fs::create_dir_all(dir)?;
        Ok(Plain(Plain::file(dir)))
    }

    fn write(&mut self, value: &str) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(&self.0)?;
        Ok(file.write_all(value.as_bytes())?)
    }

    fn sync(&mut self) -> Result<()> {
        Ok(File::open(&self.0)?.sync_all()?)
    }

    fn value(&mut self) -> Result<String> {
        let text = fs::read(&self.0)?;
        let last =
            text.rchunks_exact(3).map(String::from_utf8_lossy).find(|value| value != "\0\0\0");
        Ok(last.unwrap_or_default().into_owned())
    }

    fn file(dir: &Path) -> PathBuf {
        dir.join("log")
    }
}

/// Returns whether the first cut took the write that was under way.
fn cut_twice<L: Log>(powered: &Powered, round: u64) -> std::result::Result<bool, String> {
    let dir = powered.dir().join(format!("{round}"));
    let words = |error: kvs_final::KvsError| error.to_string();
    let mut log = L::open(&dir).map_err(words)?;
    log.write("one").and_then(|()| log.sync()).map_err(words)?;
    // The file's name as well.
    sync_all(&dir)?;
    log.write("two").map_err(words)?;
    powered.write_back(&L::file(&dir))?;
    powered.switch()?.cut()?;
    drop(log);
    powered.restore()?;

    let mut log = L::open(&dir).map_err(words)?;
    let seen = log.value().map_err(words)?;
    log.write("six").map_err(words)?;
    // Whatever else is synced takes along what the file system knows of this one.
    let other = dir.with_extension("other");
    fs::write(&other, "other").map_err(|error| error.to_string())?;
    sync_all(&other)?;
    powered.switch()?.cut()?;
    drop(log);
    powered.restore()?;

    let found = L::open(&dir).and_then(|mut log| log.value()).map_err(words)?;
    match found == seen || found == "six" {
        true => Ok(seen == "one"),
        false => Err(format!("after the first cut it was `{seen}`, after the second `{found}`")),
    }
}

fn sync_all(path: &Path) -> std::result::Result<(), String> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
}

fn of<L: Log>(rounds: u64, size: Size) -> std::result::Result<u64, Stop> {
    let powered = Powered::new("ext4").map_err(Stop::Skipped)?;
    let mut taken = 0;
    for round in 0..rounds {
        taken += u64::from(cut_twice::<L>(&powered, round).map_err(failed(size.seed))?);
    }
    Ok(taken)
}

pub(crate) fn of_the_store(size: Size) -> Outcome {
    let rounds = size.pick(20, 1_000);
    let taken = of::<KvStore>(rounds, size)?;
    Ok(vec![
        count(rounds, "times two power cuts on ext4", rounds),
        // The journal is written every few seconds too.
        count(taken, "writes taken by the first", rounds / 2),
    ])
}

pub(crate) fn of_a_plain_file(size: Size) -> Outcome {
    of::<Plain>(5, size).map(|_| Vec::new())
}
