//! `kvs check`.

use super::outcome::Outcome;
use crate::disk::RealDisk;
use crate::{CheckReport, kv_store};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn check(dir: &Path) -> Outcome {
    let report = kv_store::check(&RealDisk, dir)?;
    let CheckReport { segments, records, bytes, keys, torn_bytes } = report;
    writeln!(io::stdout(), "{segments} segments, {records} records, {bytes} bytes, {keys} keys")?;
    if torn_bytes > 0 {
        writeln!(io::stdout(), "{torn_bytes} bytes of a torn tail; the next open truncates them")?;
    }
    Ok(())
}
