//! The stages as they are on disk: files, and what Cargo.toml says of dependencies.

use crate::tree::sources;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

/// A package as a reader has it in front of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Package {
    /// By their path below the package.
    pub(crate) files: BTreeMap<String, String>,
    /// What `cargo add` needs after the name: `@1 --features derive`.
    pub(crate) dependencies: BTreeMap<String, String>,
}

/// Where the stage of this number is, below the root.
///
/// # Errors
/// If there is none.
pub(crate) fn dir(root: &Path, stage: usize) -> Result<String, String> {
    let prefix = format!("{stage}-");
    let entries = fs::read_dir(root.join("stages")).map_err(|error| error.to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = names.filter(|name| name.starts_with(&prefix)).max();
    name.map(|name| format!("stages/{name}")).ok_or(format!("there is no stage {stage}"))
}

impl Package {
    /// # Errors
    /// If it is not there, or its Cargo.toml is none.
    pub(crate) fn read(root: &Path, dir: &str) -> Result<Package, String> {
        let mut package = Package::default();
        package.read_files(&root.join(dir))?;
        package.read_dependencies(root, dir)?;
        Ok(package)
    }

    fn read_dependencies(&mut self, root: &Path, dir: &str) -> Result<(), String> {
        let manifest = |path: &Path| -> Result<toml::Table, String> {
            let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            text.parse().map_err(|error| format!("{}: {error}", path.display()))
        };
        let own = manifest(&root.join(dir).join("Cargo.toml"))?;
        let shared = manifest(&root.join("Cargo.toml"))?;
        let shared = shared.get("workspace").and_then(|table| table.get("dependencies"));
        let names =
            own.get("dependencies").and_then(|table| table.as_table()).into_iter().flatten();
        let option = |(name, own): (&String, &toml::Value)| {
            let shared = shared.and_then(|table| table.get(name));
            let shared = shared.filter(|_| own.get("workspace").is_some());
            (name.clone(), options(shared.into_iter().chain([own])))
        };
        self.dependencies = names.map(option).collect();
        Ok(())
    }

    /// A sub-stage: what the stage in `dir` has, but for the files in `step`. Those that are empty
    /// there are not there yet; of its Cargo.toml, if it has one, the dependencies count.
    ///
    /// # Errors
    /// If the sub-stage has no files.
    pub(super) fn read_step(root: &Path, dir: &str, step: &str) -> Result<Package, String> {
        let mut package = Package::read(root, dir)?;
        package.read_files(&root.join(step))?;
        if root.join(step).join("Cargo.toml").exists() {
            package.read_dependencies(root, step)?;
        }
        package.files.retain(|_, text| !text.is_empty());
        Ok(package)
    }

    /// Writes the package `kvs`, and takes away what an earlier one had in its place.
    pub(crate) fn write(&self, root: &Path, dir: &Path) -> io::Result<()> {
        let _ = fs::remove_dir_all(dir.join("src"));
        for (file, text) in &self.files {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            fs::write(path, text)?;
        }
        let mut manifest = format!(
            "[package]\nname = \"kvs\"\nversion = {:?}\nedition = \"2024\"\n\n[workspace]\n\n",
            env!("CARGO_PKG_VERSION")
        );
        manifest += "[dependencies]\n";
        for (name, options) in &self.dependencies {
            manifest += &format!("{name} = {}\n", table(root, options));
        }
        fs::write(dir.join("Cargo.toml"), manifest)?;
        let lock = root.join("Cargo.lock");
        if lock.exists() { fs::copy(lock, dir.join("Cargo.lock")).map(drop) } else { Ok(()) }
    }

    fn read_files(&mut self, dir: &Path) -> Result<(), String> {
        let found = sources(&dir.join("src"));
        if found.is_empty() {
            return Err(format!("there is no code in {}", dir.display()));
        }
        for (path, text) in found {
            let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
            self.files.insert(name, text);
        }
        Ok(())
    }
}

/// A dependency as `cargo add` takes it; where the workspace has its version, the package adds to that.
fn options<'a>(values: impl Iterator<Item = &'a toml::Value>) -> String {
    let (mut options, mut features) = (String::new(), Vec::new());
    for value in values {
        let text = |key: &str| value.get(key).and_then(|value| value.as_str());
        if let Some(version) = value.as_str().or(text("version")) {
            options += &format!("@{version}");
        }
        if let Some(path) = text("path") {
            options += &format!(" --path {path}");
        }
        if value.get("default-features").and_then(|value| value.as_bool()) == Some(false) {
            options += " --no-default-features";
        }
        let more = value.get("features").and_then(|value| value.as_array()).into_iter().flatten();
        features.extend(more.filter_map(|feature| feature.as_str()));
    }
    if !features.is_empty() {
        options += &format!(" --features {}", features.join(","));
    }
    options
}

/// What `cargo add` writes for these options.
fn table(root: &Path, options: &str) -> String {
    let mut entries = Vec::new();
    let mut words = options.split(' ');
    while let Some(word) = words.next() {
        entries.push(match word {
            "" => continue,
            "--no-default-features" => "default-features = false".to_owned(),
            "--path" => format!("path = {:?}", root.join(words.next().unwrap_or_default())),
            "--features" => {
                let features = words.next().unwrap_or_default().split(',');
                format!("features = {:?}", features.collect::<Vec<_>>())
            }
            version => format!("version = {:?}", version.trim_start_matches('@')),
        });
    }
    format!("{{ {} }}", entries.join(", "))
}

/// The commands that bring the dependencies of these names to how `new` has them, for a console.
pub(super) fn commands<'a>(new: &Package, names: impl Iterator<Item = &'a String>) -> String {
    // What goes is no command of any stage, and would be missed when the text is typed.
    let added = names.filter_map(|name| new.dependencies.get_key_value(name));
    let commands = added.map(|(name, options)| format!("$ cargo add {name}{options}\n"));
    format!("```console\n{}```\n", commands.collect::<String>())
}

/// The dependencies that differ.
pub(super) fn changed_dependencies(old: &Package, new: &Package) -> BTreeSet<String> {
    differing_keys(&old.dependencies, &new.dependencies)
}

/// The files that differ, `Cargo.toml` among them if a dependency does.
pub(super) fn differing(old: &Package, new: &Package) -> BTreeSet<String> {
    let mut files = differing_keys(&old.files, &new.files);
    if old.dependencies != new.dependencies {
        files.insert("Cargo.toml".to_owned());
    }
    files
}

type Texts = BTreeMap<String, String>;

fn differing_keys(old: &Texts, new: &Texts) -> BTreeSet<String> {
    let keys = old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key));
    keys.cloned().collect()
}
