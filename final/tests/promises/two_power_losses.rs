//! Two power losses in a row, each at the moment at which it is worst for a file that is appended to.
//!
//! At the first the bytes of a write are on the disk, and the file's length is not. At the second the
//! length of the next write is, and its bytes are not. ext4 then shows those of the first.

use super::*;
use kvs_final::Result;

/// What writes a value to the end of a file.
struct Log<E> {
    file: &'static str,
    open: fn(&Path) -> Result<E>,
    sync: fn(&E) -> Result<()>,
}

const STORE: Log<KvStore> = Log {
    file: "0000000001.seg",
    open: |dir| KvStoreOptions::new().durability(Durability::Os).open(dir),
    sync: KvStore::sync,
};

const PLAIN: Log<Plain> = Log {
    file: "log",
    open: |dir| {
        fs::create_dir_all(dir)?;
        Ok(Plain(dir.join("log")))
    },
    sync: |plain| Ok(File::open(&plain.0)?.sync_all()?),
};

/// A file of values of three letters, of which the last one counts.
#[derive(Clone)]
struct Plain(PathBuf);

impl KvsEngine for Plain {
    fn set(&self, _key: String, value: String) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(&self.0)?;
        Ok(file.write_all(value.as_bytes())?)
    }

    fn get(&self, _key: String) -> Result<Option<String>> {
        let text = fs::read(&self.0)?;
        let mut values = text.rchunks_exact(3).map(String::from_utf8_lossy);
        Ok(values.find(|value| value != "\0\0\0").map(String::from))
    }

    fn remove(&self, _key: String) -> Result<()> {
        unreachable!("nothing is removed")
    }
}

impl<E: KvsEngine> Log<E> {
    /// Writes, and loses power, twice. Returns whether the first loss took the write that was under way.
    fn lose_power_twice(&self, volume: &Volume, round: u64) -> Result<bool> {
        let dir = volume.dir().join(format!("{round}"));
        let power = |result: result::Result<(), String>| result.map_err(io::Error::other);
        let write = |log: &E, value: &str| log.set("key".to_owned(), value.to_owned());
        let read = |log: &E| Ok::<_, KvsError>(log.get("key".to_owned())?.unwrap_or_default());
        let log = (self.open)(&dir)?;
        write(&log, "one")?;
        (self.sync)(&log)?;
        // The file's name as well.
        File::open(&dir)?.sync_all()?;
        write(&log, "two")?;
        power(volume.write_back(&dir.join(self.file)))?;
        power(volume.switch().and_then(Switch::cut))?;
        drop(log);
        power(volume.restore())?;

        let log = (self.open)(&dir)?;
        let seen = read(&log)?;
        write(&log, "six")?;
        // Whatever else is synced takes along what the file system knows of this one.
        let mut other = File::create(dir.with_extension("other"))?;
        other.write_all(b"other").and_then(|()| other.sync_all())?;
        power(volume.switch().and_then(Switch::cut))?;
        drop((log, other));
        power(volume.restore())?;

        let found = read(&(self.open)(&dir)?)?;
        if found == seen || found == "six" {
            return Ok(seen == "one");
        }
        let message = format!("after the first loss it was `{seen}`, after the second `{found}`");
        Err(io::Error::other(message).into())
    }

    /// Returns how many writes were taken by a first power loss.
    fn lose_power(&self, rounds: u64) -> result::Result<u64, String> {
        let volume = Volume::new("ext4")?;
        let mut taken = 0;
        for round in 0..rounds {
            let was_taken = self.lose_power_twice(&volume, round);
            taken += u64::from(was_taken.map_err(|error| format!("round {round}: {error}"))?);
        }
        Ok(taken)
    }
}

pub(crate) fn take_once(run: Run) -> Outcome {
    let rounds = run.pick(20, 1_000);
    let taken = match run.injects("a file that is only appended to") {
        true => PLAIN.lose_power(rounds)?,
        false => STORE.lose_power(rounds)?,
    };
    Ok(vec![
        count(rounds, "times two power losses on ext4", rounds),
        // The journal is written every few seconds too.
        count(taken, "writes taken by the first", rounds / 2),
    ])
}
