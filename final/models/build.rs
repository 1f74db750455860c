//! Copies the sources of `final` and plants the faults in the copy, each behind a switch that is off
//! unless a run turns it on (`src/faults.rs`).

use std::path::Path;
use std::{env, fs, io};

#[path = "src/faults.rs"]
mod faults;

fn main() -> io::Result<()> {
    let sources = Path::new("../src");
    let copy = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/faults.rs");
    println!("cargo:rerun-if-changed={}", sources.display());
    copy_planted(sources, Path::new(""), &Path::new(&copy).join("final"))
}

fn copy_planted(sources: &Path, inside: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir_all(copy.join(inside))?;
    for entry in fs::read_dir(sources.join(inside))? {
        let entry = entry?;
        let path = inside.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_planted(sources, &path, copy)?;
        } else {
            let text = plant(&path, fs::read_to_string(entry.path())?);
            fs::write(copy.join(path), text)?;
        }
    }
    Ok(())
}

fn plant(path: &Path, mut text: String) -> String {
    for fault in faults::FAULTS.iter().filter(|fault| path == Path::new(fault.file)) {
        let places = text.matches(fault.from).count();
        assert_eq!(places, 1, "places for the fault {:?} in {}", fault.name, fault.file);
        let switch = format!("crate::faults::is_planted({:?})", fault.name);
        text = text.replace(fault.from, &fault.to.replace("PLANTED", &switch));
    }
    // The text becomes the inside of a module, where a comment on the whole file has no place.
    text.replace("\n//!", "\n//").replacen("//!", "//", 1)
}
