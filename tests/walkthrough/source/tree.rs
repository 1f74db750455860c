use super::Source;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The name under which the dependencies of a stage stand among its files.
pub const DEPENDENCIES: &str = "Cargo.toml";

/// The sources that the text speaks of, by the names that it gives them: `1` to `7`, `common` and
/// `final` for the crates, `tests` for the tests that all of them share.
#[derive(Clone, Default)]
pub struct Tree(BTreeMap<String, BTreeMap<String, String>>);

impl Tree {
    /// Reads them from the repository.
    pub fn read(root: &Path) -> Tree {
        let mut tree = Tree::default();
        for entry in fs::read_dir(root.join("stages")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let (stage, _) = name.split_once('-').unwrap_or((name, ""));
            if stage == "common" || stage.parse::<usize>().is_ok() {
                tree.read_crate(stage, &path);
            }
        }
        tree.read_crate("final", &root.join("final"));
        tree.read_files("tests", "", &root.join("tests"));
        assert_eq!(tree.0.len(), 10, "seven stages, common, final and tests");
        tree
    }

    fn read_crate(&mut self, stage: &str, dir: &Path) {
        self.read_files(stage, "", &dir.join("src"));
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        let section = manifest.split_once("\n[dependencies]\n").map_or("", |(_, after)| after);
        let lines = section.lines().take_while(|line| !line.starts_with('['));
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.plant(stage, DEPENDENCIES, &lines.map(|line| format!("{line}\n")).collect::<String>());
    }

    fn read_files(&mut self, stage: &str, prefix: &str, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.read_files(stage, &format!("{name}/"), &path);
            } else {
                self.plant(stage, &name, &fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// Gives a file this text.
    pub fn plant(&mut self, stage: &str, file: &str, text: &str) {
        self.0.entry(stage.to_owned()).or_default().insert(file.to_owned(), text.to_owned());
    }

    /// The files of a crate by their path below `src`.
    pub fn files(&self, stage: &str) -> Option<&BTreeMap<String, String>> {
        self.0.get(stage)
    }

    /// Parses a file.
    ///
    /// # Errors
    /// If there is none, or it is no Rust.
    pub fn source(&self, stage: &str, file: &str) -> Result<Source, String> {
        let files = self.files(stage).ok_or(format!("there is no stage `{stage}`"))?;
        let text = files.get(file).ok_or(format!("stage {stage} has no file `{file}`"))?;
        Source::parse(text).map_err(|error| format!("stage {stage}, `{file}`: {error}"))
    }
}
