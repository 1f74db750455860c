use super::manifest::Manifest;
use super::recovery;
use super::segment::Found;
use crate::disk::{Access, Dir, Disk};
use crate::{KvsError, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

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
    let (dir, manifest) = claim(disk, dir)?;
    let mut report = CheckReport::default();
    let mut keys = BTreeSet::new();
    let files = recovery::read(&*dir, manifest, Access::Read, |found, _| {
        if let Found::Record { record, len, .. } = found {
            report.records += 1;
            report.bytes += u64::from(len);
            match record.value {
                Some(_) => drop(keys.insert(record.key.to_owned())),
                None => drop(keys.remove(record.key)),
            }
        }
    })?;
    report.segments = files.segments.len() as u64;
    report.keys = keys.len() as u64;
    report.torn_bytes = files.torn;
    report.unnamed = files.leftovers;
    Ok(report)
}

/// Takes a directory to read the store that must be there.
pub(super) fn claim(disk: &dyn Disk, dir: &Path) -> Result<(Arc<dyn Dir>, Manifest)> {
    let dir = disk.claim(dir, Access::Read)?;
    match Manifest::read(&*dir)? {
        Some(manifest) => Ok((dir, manifest)),
        None => {
            recovery::expect_no_store(&*dir)?;
            Err(KvsError::NoStore { dir: dir.path().to_owned() })
        }
    }
}
