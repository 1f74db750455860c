//! A device that fails under a store whose segments are read through memory maps.

use super::*;
use rustix::fs::{Advice, fadvise};

const KEYS: u64 = 2_000;

/// Puts a store on a file system in a file on another file system, and ends the outer one: it is for the inner one
/// as if the device were gone. Returns how many reads were right and how many failed.
fn lose_the_device(take_it: bool) -> Result<(u64, u64), String> {
    let outer = Volume::new("ext4")?;
    let inner = Volume::within(outer.dir(), "ext4")?;
    let dir = inner.dir().join("store");
    let options = KvStoreOptions::new().durability(Durability::Os).segment_bytes(256 << 10);
    // To write hints the compactor would read everything once more.
    let options = options.map_sealed(true).hint_eighths(0);
    let store = options.open(&dir).map_err(|error| error.to_string())?;
    let write = |key: u64| store.set(format!("k{key}"), value(key));
    let written = (0..KEYS).try_for_each(write).and_then(|()| store.sync());
    written.and_then(|()| Ok(forget(&dir)?)).map_err(|error| error.to_string())?;
    // These pages stay mapped and readable; the others have to come from the device.
    (0..KEYS / 3).try_for_each(|key| read(&store, key).map(drop))?;
    if take_it {
        outer.switch().and_then(Switch::cut)?;
    }
    let (mut right, mut failed) = (0, 0);
    for key in 0..KEYS {
        match read(&store, key)? {
            true => right += 1,
            false => failed += 1,
        }
    }
    Ok((right, failed))
}

/// Drops what the system has in memory of the files of a directory.
fn forget(dir: &Path) -> std::io::Result<()> {
    for file in fs::read_dir(dir)? {
        fadvise(File::open(file?.path())?, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

fn value(key: u64) -> String {
    key.to_string().repeat(500)
}

/// Returns whether it could be read.
fn read(store: &impl KvsEngine, key: u64) -> Result<bool, String> {
    match store.get(format!("k{key}")) {
        Ok(Some(found)) if found == value(key) => Ok(true),
        Err(KvsError::File { .. }) => Ok(false),
        Ok(found) => Err(format!("k{key} is {:?}", found.map(|found| found.len()))),
        Err(error) => Err(format!("k{key}: {error}")),
    }
}

pub(crate) fn outlives_its_device(run: Run) -> Outcome {
    let rounds = run.pick(3, 100);
    let take_it = !run.injects("a device that doesn't fail");
    let reads = for_each(0..rounds, |_| lose_the_device(take_it))?;
    let (right, failed) = super::promise::sums(reads);
    if failed == 0 {
        return Err("no read failed".to_owned());
    }
    Ok(vec![
        count(rounds, "devices that failed", rounds),
        count(failed, "reads that failed with the file's name", rounds * KEYS / 10),
        count(right, "reads that were right after it", rounds * KEYS / 10),
    ])
}
