//! The stages as they are on disk: files, and what Cargo.toml says of dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A package as a reader has it in front of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Package {
    /// By their path below the package.
    pub(super) files: BTreeMap<String, String>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
}

/// What is written after a dependency's name, without what only the workspace needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) version: String,
    /// Below the root of the repository; of those that no registry has.
    pub(super) path: Option<String>,
    pub(super) has_no_defaults: bool,
    pub(super) features: Vec<String>,
}

/// Where the stage of this number is, below the root.
///
/// # Errors
/// If there is none.
pub(super) fn dir(root: &Path, stage: usize) -> Result<String, String> {
    let prefix = format!("{stage}-");
    let entries = fs::read_dir(root.join("stages")).map_err(|error| error.to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = names.filter(|name| name.starts_with(&prefix)).max();
    name.map(|name| format!("stages/{name}")).ok_or(format!("there is no stage {stage}"))
}

impl Package {
    /// # Errors
    /// If it is not there, or its Cargo.toml is none.
    pub(super) fn read(root: &Path, dir: &str) -> Result<Package, String> {
        let mut package = Package::default();
        package.read_files(&root.join(dir).join("src"), "src")?;
        let manifest = |path: &Path| -> Result<toml::Table, String> {
            let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            text.parse().map_err(|error| format!("{}: {error}", path.display()))
        };
        let own = manifest(&root.join(dir).join("Cargo.toml"))?;
        let shared = manifest(&root.join("Cargo.toml"))?;
        let shared = shared.get("workspace").and_then(|table| table.get("dependencies"));
        let names =
            own.get("dependencies").and_then(|table| table.as_table()).into_iter().flatten();
        for (name, value) in names {
            let is_shared = value.get("workspace").is_some();
            let base = shared.and_then(|table| table.get(name)).filter(|_| is_shared);
            let mut dependency = Dependency::default();
            for value in base.into_iter().chain([value]) {
                dependency.add(value);
            }
            package.dependencies.insert(name.clone(), dependency);
        }
        Ok(package)
    }

    /// A sub-stage: what the stage in `dir` has, but for the files in `dir/steps/name`. Those that
    /// are empty there are not there yet.
    ///
    /// # Errors
    /// If the sub-stage is not there.
    pub(super) fn read_step(root: &Path, dir: &str, name: &str) -> Result<Package, String> {
        let mut package = Package::read(root, dir)?;
        package.read_files(&root.join(dir).join("steps").join(name).join("src"), "src")?;
        package.files.retain(|_, text| !text.is_empty());
        Ok(package)
    }

    fn read_files(&mut self, dir: &Path, prefix: &str) -> Result<(), String> {
        let error = |error: std::io::Error| format!("{}: {error}", dir.display());
        for entry in fs::read_dir(dir).map_err(error)? {
            let path = entry.map_err(error)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{prefix}/{name}");
            if path.is_dir() {
                self.read_files(&path, &name)?;
            } else {
                self.files.insert(name, fs::read_to_string(&path).map_err(error)?);
            }
        }
        Ok(())
    }
}

impl Dependency {
    /// What stands in a Cargo.toml after the name.
    pub(super) fn table(&self) -> String {
        let mut entries = vec![format!("features = {:?}", self.features)];
        if !self.version.is_empty() {
            entries.push(format!("version = {:?}", self.version));
        }
        entries.extend(self.path.as_ref().map(|path| format!("path = {path:?}")));
        if self.has_no_defaults {
            entries.push("default-features = false".to_owned());
        }
        format!("{{ {} }}", entries.join(", "))
    }

    /// What `cargo add` needs after the name.
    fn options(&self) -> String {
        let mut options = String::new();
        if !self.version.is_empty() {
            options += &format!("@{}", self.version);
        }
        if let Some(path) = &self.path {
            options += &format!(" --path {path}");
        }
        if self.has_no_defaults {
            options += " --no-default-features";
        }
        if !self.features.is_empty() {
            options += &format!(" --features {}", self.features.join(","));
        }
        options
    }

    fn add(&mut self, value: &toml::Value) {
        let text = |value: &toml::Value| value.as_str().unwrap_or_default().to_owned();
        if value.is_str() {
            self.version = text(value);
        }
        for (key, value) in value.as_table().into_iter().flatten() {
            match key.as_str() {
                "version" => self.version = text(value),
                "path" => self.path = Some(text(value)),
                "default-features" => self.has_no_defaults = value.as_bool() == Some(false),
                "features" => {
                    self.features.extend(value.as_array().into_iter().flatten().map(text))
                }
                _ => {}
            }
        }
    }
}

/// The commands that bring the dependencies of these names from how `old` has them to how `new` has
/// them, as a block for a console.
pub(super) fn commands<'a>(
    old: &Package,
    new: &Package,
    names: impl Iterator<Item = &'a String>,
) -> String {
    let mut lines = String::new();
    for name in names {
        lines += &match new.dependencies.get(name) {
            Some(dependency) => format!("$ cargo add {name}{}\n", dependency.options()),
            None if old.dependencies.contains_key(name) => format!("$ cargo remove {name}\n"),
            None => String::new(),
        };
    }
    format!("```console\n{lines}```\n")
}

/// The dependencies that differ.
pub(super) fn changed_dependencies(old: &Package, new: &Package) -> Vec<String> {
    let names = old.dependencies.keys().chain(new.dependencies.keys());
    let changed = names.filter(|name| old.dependencies.get(*name) != new.dependencies.get(*name));
    changed.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
