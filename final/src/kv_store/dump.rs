use super::check;
use super::record::Location;
use super::recovery;
use super::segment::{Found, Scan};
use crate::Result;
use crate::disk::{Access, Disk};
use std::collections::HashMap;
use std::path::Path;

/// What [`dump`] found beside the keys that it handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpReport {
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of a torn tail, which are no part of the store.
    pub torn_bytes: u64,
}

/// Hands each key of the store in `dir`, once and with its value, to `take`, in the order in which
/// the values were written, and changes nothing. The store must not be open. Takes memory for the
/// keys, and for no more than one value.
///
/// # Errors
/// As [`check`](crate::check), before anything is handed over; and that of `take`, at once.
pub fn dump(
    disk: &dyn Disk,
    dir: &Path,
    mut take: impl FnMut(&str, &str) -> Result<()>,
) -> Result<DumpReport> {
    let (dir, manifest) = check::claim(disk, dir)?;
    let mut live: HashMap<Box<str>, Location> = HashMap::new();
    let files = recovery::read(&*dir, manifest, Access::Read, |found, segment| {
        if let Found::Record { record, offset, .. } = found {
            let location = Location { segment: segment.number, offset };
            match record.value {
                Some(_) => drop(live.insert(record.key.into(), location)),
                None => drop(live.remove(record.key)),
            }
        }
    })?;
    for (segment, end) in &files.segments {
        let mut scan = Scan::new(segment, *end);
        loop {
            let (record, offset) = match scan.next()? {
                Found::Record { record, offset, .. } => (record, offset),
                Found::End => break,
                Found::Invalid { offset, reason } => return Err(segment.damaged(offset, reason)),
            };
            let location = Location { segment: segment.number, offset };
            if let Some(value) = record.value
                && live.get(record.key) == Some(&location)
            {
                take(record.key, value)?;
            }
        }
    }
    Ok(DumpReport { keys: live.len() as u64, torn_bytes: files.torn })
}
