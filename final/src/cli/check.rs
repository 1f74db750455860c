//! `kvs check`.

use super::outcome::Outcome;
use crate::disk::RealDisk;
use crate::{CheckReport, kv_store};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn check(dir: &Path) -> Outcome {
    let report = kv_store::check(&RealDisk, dir)?;
    let CheckReport { segments, records, bytes, keys, torn_bytes, unnamed } = report;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{segments} segments, {records} records, {bytes} bytes, {keys} keys")?;
    if torn_bytes > 0 {
        writeln!(stdout, "{torn_bytes} bytes of a torn tail; the next start truncates them")?;
    }
    for (name, records) in unnamed {
        let what = "in a segment that the manifest does not name; the next start removes it";
        writeln!(stdout, "{name}: {records} records {what}")?;
    }
    writeln!(stdout, "nothing is damaged")?;
    Ok(())
}
