//! Files on the real disk.

use std::fs;
use std::path::Path;

/// Copies the files of a directory, into those of another one where the names are the same.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
