//! Files that the manifest does not name, and hints of segments that it does not call sealed: what an interrupted
//! rotation or compaction left behind.

use crate::disk::{Access, Dir};
use crate::kv_store::format::{Found, Manifest, Scan, Segment, hint, manifest, segment};
use crate::{KvsError, Result};
use std::collections::BTreeMap;
use std::io;

#[derive(Default)]
pub(crate) struct Orphans {
    /// By their files, with the number of records in each.
    pub(crate) segments: BTreeMap<String, u64>,
    /// By the numbers of their segments.
    pub(crate) hints: Vec<u64>,
}

/// Looks for orphans.
///
/// # Errors
/// [`KvsError::Damaged`] at a record that cannot be of one. A compaction copies each as written when
/// nothing was synced; where somebody else wrote one, a manifest had named the segment before, and its
/// number was below `next` from then on.
pub(crate) fn find_orphans(dir: &dyn Dir, manifest: &Manifest) -> Result<Orphans> {
    let mut orphans = Orphans::default();
    let sealed = manifest.segments.split_last().map_or(&[][..], |(_, sealed)| sealed);
    for name in dir.list().map_err(KvsError::at(dir.path()))? {
        let is_in = |segments: &[(u64, _)], number| segments.iter().any(|(n, _)| *n == number);
        orphans.hints.extend(hint::number_of(&name).filter(|number| !is_in(sealed, *number)));
        let is_named = |number| is_in(&manifest.segments, number);
        let Some(number) = segment::number_of(&name).filter(|number| !is_named(*number)) else {
            continue;
        };
        let mut records = 0;
        match Segment::open(dir, number, Access::Read) {
            Ok(segment) => {
                let mut scan = Scan::new(&segment, segment.len()?.min(u32::MAX.into()) as u32);
                while let Found::Record { record, location, .. } = scan.next()? {
                    if number >= manifest.next && record.synced > 0 {
                        return Err(
                            segment.damaged(location.offset, "the manifest is older than this")
                        );
                    }
                    records += 1;
                }
            }
            Err(KvsError::Damaged { .. }) if is_empty(dir, &name)? => {}
            Err(error) => return Err(error),
        }
        orphans.segments.insert(name, records);
    }
    Ok(orphans)
}

/// Removes orphans, and a manifest that was not finished. A hint may stay: it is one that isn't used, and isn't when it
/// comes back after a power loss.
pub(crate) fn remove_orphans(dir: &dyn Dir, orphans: &Orphans) -> Result<()> {
    for (name, records) in &orphans.segments {
        let path = dir.path().join(name);
        dir.remove(name).map_err(KvsError::at(&path))?;
        if *records > 0 {
            let path = path.display();
            log::warn!("{path}: removed with {records} records; the manifest does not name it");
        }
    }
    for segment in &orphans.hints {
        if let Err(error) = hint::remove(dir, *segment) {
            log::warn!("a hint that isn't used cannot be deleted: {error}");
        }
    }
    match dir.remove(manifest::UNFINISHED) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(KvsError::at(&dir.path().join(manifest::UNFINISHED))(error))
        }
        _ => Ok(()),
    }
}

/// Where there is no manifest there never was a store, or it would be a loss to make a new one.
pub(crate) fn expect_no_store(dir: &dyn Dir) -> Result<()> {
    for name in dir.list().map_err(KvsError::at(dir.path()))? {
        let path = dir.path().join(&name);
        if name.starts_with("kvs-") && name.ends_with(".log") {
            return Err(KvsError::Format { path, found: "a log in the stages' format".to_owned() });
        }
        // The first segment is made before the manifest; a crash between leaves it empty.
        if segment::number_of(&name).is_some() && !is_empty(dir, &name)? {
            let path = dir.path().join(manifest::NAME);
            let reason = "there are segments but no manifest".to_owned();
            return Err(KvsError::Damaged { path, offset: 0, reason });
        }
    }
    Ok(())
}

/// Whether a segment's file is no longer than its header, which is durable before anything else is written.
fn is_empty(dir: &dyn Dir, name: &str) -> Result<bool> {
    let len = dir.open(name, Access::Read).and_then(|file| file.len());
    Ok(len.map_err(KvsError::at(&dir.path().join(name)))? <= segment::HEADER.into())
}
