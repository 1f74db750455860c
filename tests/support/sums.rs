//! Sums over code, by which a record knows what it was taken from.
#![allow(dead_code)] // who reads a record does not need all of it, nor who writes one

use crate::code::code;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// The texts of files, by their names.
pub(crate) type Files = BTreeMap<String, String>;

/// The files below `dir`, by their names there; not those in `without`, where a directory's name ends
/// with `/`.
///
/// # Errors
/// If one cannot be read.
pub(crate) fn files(dir: &Path, without: &[&str]) -> io::Result<Files> {
    let mut files = Files::new();
    read_files(dir, "", without, &mut files)?;
    Ok(files)
}

fn read_files(dir: &Path, prefix: &str, without: &[&str], files: &mut Files) -> io::Result<()> {
    let in_words = |error| io::Error::other(format!("{}: {error}", dir.display()));
    for entry in fs::read_dir(dir).map_err(in_words)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let is_dir = entry.file_type()?.is_dir();
        let name = if is_dir { name + "/" } else { name };
        if without.contains(&name.as_str()) {
            continue;
        }
        if is_dir {
            read_files(&entry.path(), &name, without, files)?;
        } else {
            files.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

/// FNV-1a, after Fowler, Noll and Vo, with 64 bits: it has to tell versions apart, and nobody wants to
/// fool it. Comments, white space and unit tests do not count.
pub(crate) fn sum_of(files: &Files) -> String {
    let texts = files.iter().map(|(name, text)| format!("{name}\0{}\0", code(before_tests(text))));
    let add = |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let sum = texts.fold(0xcbf2_9ce4_8422_2325, |sum, text| text.bytes().fold(sum, add));
    format!("{sum:016x}")
}

/// A file up to its unit tests, which stand at its end.
fn before_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// Of all that `final` promises something of: its code is in `src`.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn of_the_promises(src: &Path) -> io::Result<String> {
    Ok(sum_of(&files(src, &["kv_store/tests/"])?))
}
