use super::manifest::Manifest;
use super::record::{Location, Record};
use super::recovery::{self, Files};
use super::segment::{Found, Scan};
use crate::disk::{Access, Disk};
use crate::{KvsError, Result};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What [`check`] found in a store that is in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Segments that the manifest names.
    pub segments: u64,
    /// Records in them, each with the right checksum.
    pub records: u64,
    /// Bytes of those records.
    pub bytes: u64,
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of a torn tail, which the next open will truncate.
    pub torn_bytes: u64,
    /// Segments that the manifest does not name, by their files, with the number of records in each: an
    /// interrupted compaction leaves such. The next open removes them.
    pub unnamed: BTreeMap<String, u64>,
}

/// Reads every record of the store in `dir` and changes nothing. The store must not be open.
///
/// # Errors
/// At the first thing that is not as it was written, with file and offset; if there is no store; if
/// it is in use.
pub fn check(disk: &dyn Disk, dir: &Path) -> Result<CheckReport> {
    Ok(read(disk, dir)?.0)
}

/// Checks the store in `dir`, and then hands each key, once and with its value, to `take`, in the order in
/// which the values were written. Changes nothing, and takes memory for the keys and for one value.
///
/// # Errors
/// As [`check`], before anything is handed over; and that of `take`, at once.
pub fn dump(
    disk: &dyn Disk,
    dir: &Path,
    mut take: impl FnMut(&str, &str) -> Result<()>,
) -> Result<CheckReport> {
    let (report, live, files) = read(disk, dir)?;
    for (segment, end) in &files.segments {
        let mut scan = Scan::new(segment, *end);
        while let Some((Record { key, value, .. }, offset, _)) = scan.next_whole()? {
            let is_live = live.get(key) == Some(&Location { segment: segment.number, offset });
            if let Some(value) = value.filter(|_| is_live) {
                take(key, value)?;
            }
        }
    }
    Ok(report)
}

type Live = HashMap<Box<str>, Location>;

/// Returns beside the report where the record of each key is.
fn read(disk: &dyn Disk, dir: &Path) -> Result<(CheckReport, Live, Files)> {
    let dir = disk.claim(dir, Access::Read)?;
    let Some(manifest) = Manifest::read(&*dir)? else {
        recovery::expect_no_store(&*dir)?;
        return Err(KvsError::NoStore { dir: dir.path().to_owned() });
    };
    let (mut report, mut live) = (CheckReport::default(), Live::new());
    let mut files = recovery::read(&*dir, manifest, Access::Read, |found, segment| {
        if let Found::Record { record, offset, len } = found {
            report.records += 1;
            report.bytes += u64::from(len);
            let location = Location { segment: segment.number, offset };
            match record.value {
                Some(_) => drop(live.insert(record.key.into(), location)),
                None => drop(live.remove(record.key)),
            }
        }
    })?;
    report.segments = files.segments.len() as u64;
    report.keys = live.len() as u64;
    report.torn_bytes = files.torn;
    report.unnamed = std::mem::take(&mut files.leftovers);
    Ok((report, live, files))
}
