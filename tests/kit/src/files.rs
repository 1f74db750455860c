//! Files on the real disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Copies the files of a directory, into those of another one where the names are the same.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// All files of a directory, and what is in them.
pub fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// The log in the directory of a stage or of `final`, or one of its segments.
pub fn log_in(dir: &Path) -> PathBuf {
    let mut paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|end| end == "log" || end == "seg")).unwrap()
}
