//! `kvs check`.

use super::outcome::{Outcome, err_msg};
use super::restore::refuse_unless_empty;
use crate::disk::RealDisk;
use crate::{CheckReport, Durability, KvStoreOptions, kv_store};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn check(dir: &Path) -> Outcome {
    let report = kv_store::check(&RealDisk, dir)?;
    let CheckReport { segments, records, bytes, keys, torn_bytes, unused_hints, unnamed } = report;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{segments} segments, {records} records, {bytes} bytes, {keys} keys")?;
    if torn_bytes > 0 {
        writeln!(stdout, "{torn_bytes} bytes of a torn tail; the next start truncates them")?;
    }
    for (name, reason) in unused_hints {
        writeln!(stdout, "{name}: {reason}; the next start reads its segment")?;
    }
    for (name, records) in unnamed {
        let what = "in a segment that the manifest does not name; the next start removes it";
        writeln!(stdout, "{name}: {records} records {what}")?;
    }
    writeln!(stdout, "nothing is damaged")?;
    Ok(())
}

pub(super) fn salvage(dir: &Path, to: &Path) -> Outcome {
    refuse_unless_empty(to)?;
    let open = || KvStoreOptions::new().durability(Durability::Os).open(to);
    let mut places = 0;
    let mut output = io::stdout();
    let (store, records) = kv_store::salvage(&RealDisk, dir, open, |path, bytes, reason| {
        places += 1;
        let (path, start, len) = (path.display(), bytes.start, bytes.end - bytes.start);
        // Who does not listen still wants the rest to be saved.
        let _ = writeln!(output, "{path}: at byte {start}, {len} bytes lost: {reason}");
    })?;
    writeln!(output, "{records} records are saved, {} keys", store.stats().keys)?;
    if places > 0 {
        Err(err_msg(format!("what is listed was not as it should be: {places} places")))
    } else {
        Ok(())
    }
}
