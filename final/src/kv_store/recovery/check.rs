use super::Files;
use super::orphans::expect_no_store;
use crate::disk::{Access, Disk};
use crate::kv_store::format::{Hint, Location, Manifest, Note, Record, hint};
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
    /// Hints that are not used, by their files, with the reason in words: the next open reads the segments instead.
    /// One that was torn by a power loss is no damage to the store.
    pub unused_hints: BTreeMap<String, String>,
    /// Segments that the manifest does not name, by their files, with the number of records in each: an
    /// interrupted compaction leaves such. The next open removes them.
    pub unnamed: BTreeMap<String, u64>,
}

/// Reads every record of the store in `dir`, compares the hints with them, and changes nothing. The store must not
/// be open.
///
/// # Errors
/// At the first thing that is not as it was written, with file and offset; if there is no store; if
/// it is in use.
pub fn check(disk: &dyn Disk, dir: &Path) -> Result<CheckReport> {
    Ok(read(disk, dir, true)?.0)
}

/// Checks the store in `dir`, and then hands each key, once and with its value, to `take`, in the order in
/// which they are in the log. Changes nothing, and takes memory for the keys and for one value.
///
/// # Errors
/// As [`check`], but for the hints, which it does not read; before anything is handed over; and that of `take`, at once.
pub fn dump(
    disk: &dyn Disk,
    dir: &Path,
    mut take: impl FnMut(&str, &str) -> Result<()>,
) -> Result<CheckReport> {
    let (report, live, mut files) = read(disk, dir, false)?;
    for place in 0..files.segments.len() {
        let mut records = files.records(place);
        while let Some((Record { key, value, .. }, location, _)) = records.next()? {
            let is_live = live.get(key) == Some(&location);
            if let Some(value) = value.filter(|_| is_live) {
                take(key, value)?;
            }
        }
    }
    Ok(report)
}

type Live = HashMap<Box<str>, Location>;

/// Returns beside the report where the record of each key is.
fn read(disk: &dyn Disk, dir: &Path, with_hints: bool) -> Result<(CheckReport, Live, Files)> {
    let dir = disk.claim(dir, Access::Read)?;
    let Some(manifest) = Manifest::read(&*dir)? else {
        expect_no_store(&*dir)?;
        return Err(KvsError::NoStore { dir: dir.path().to_owned() });
    };
    let (mut report, mut live) = (CheckReport::default(), Live::new());
    let mut files = Files::open(&*dir, manifest, Access::Read)?;
    for place in 0..files.segments.len() {
        let mut hint = Hint::default();
        let mut records = files.records(place);
        while let Some((record, location, len)) = records.next()? {
            hint.push(Note::of(&record, location.offset, len));
            report.records += 1;
            report.bytes += u64::from(len);
            match record.value {
                Some(_) => drop(live.insert(record.key.into(), location)),
                None => drop(live.remove(record.key)),
            }
        }
        let (segment, end) = &files.segments[place];
        if with_hints && place + 1 < files.segments.len() {
            let reason = hint::check(&*dir, segment, *end, &hint)?;
            report.unused_hints.extend(reason.map(|why| (hint::name(segment.number), why)));
        }
    }
    report.segments = files.segments.len() as u64;
    report.keys = live.len() as u64;
    report.torn_bytes = files.torn;
    report.unnamed = std::mem::take(&mut files.orphans.segments);
    Ok((report, live, files))
}
