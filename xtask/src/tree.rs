//! The repository's files, as they are and as the generators would have them, and what is wrong with one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// Something that is wrong with a file, in words for the one who edits it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// Below the root of the repository.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(file: &str, line: usize, message: impl Into<String>) -> Problem {
        Problem { file: file.to_owned(), line, message: message.into() }
    }
}

/// Problems as they are printed.
#[cfg(test)]
pub(crate) fn said(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

pub(crate) struct Tree {
    root: PathBuf,
    /// What generators have written, by path below the root.
    written: BTreeMap<String, String>,
}

impl Tree {
    pub(crate) fn new(root: &Path) -> Tree {
        Tree { root: root.to_owned(), written: BTreeMap::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file, as a generator before has written it or else as it is.
    ///
    /// # Errors
    /// If it is neither written nor there.
    pub(crate) fn read(&self, path: &str) -> Result<String, Problem> {
        match self.written.get(path) {
            Some(text) => Ok(text.clone()),
            None => fs::read_to_string(self.root.join(path))
                .map_err(|error| Problem::new(path, 1, error.to_string())),
        }
    }

    /// Puts in the place of a text what a generator makes of it.
    pub(crate) fn rewrite(
        &mut self,
        file: &str,
        generate: impl FnOnce(&Tree, &str) -> (String, Vec<Problem>),
    ) -> Vec<Problem> {
        match self.read(file) {
            Ok(text) => {
                let (new, problems) = generate(self, &text);
                self.write(file, new);
                problems
            }
            Err(problem) => vec![problem],
        }
    }

    pub(crate) fn write(&mut self, path: &str, text: String) {
        self.written.insert(path.to_owned(), text);
    }

    /// The files whose text is no longer as it is on disk.
    fn changed(&self) -> impl Iterator<Item = (&String, &String)> {
        self.written.iter().filter(|(path, text)| {
            fs::read_to_string(self.root.join(path)).ok().as_ref() != Some(*text)
        })
    }

    /// Writes what has changed.
    pub(crate) fn save(&self) -> Vec<Problem> {
        let save = |(path, text): (&String, &String)| {
            println!("writes {path}");
            let error = fs::write(self.root.join(path), text).err()?;
            Some(Problem::new(path, 1, error.to_string()))
        };
        self.changed().filter_map(save).collect()
    }

    /// The first line of each file that has changed, with what would stand there.
    pub(crate) fn differences(&self) -> Vec<Problem> {
        let difference = |(path, new): (&String, &String)| {
            let old = fs::read_to_string(self.root.join(path)).unwrap_or_default();
            let same = old.lines().zip(new.lines()).take_while(|(old, new)| old == new).count();
            let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
            let message =
                format!("`cargo xtask sync` was not run:\n  - {}\n  + {}", line(&old), line(new));
            Problem::new(path, same + 1, message)
        };
        self.changed().map(difference).collect()
    }
}

/// The sources below a directory, with their paths.
pub(crate) fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            found.push((path, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_is_named_with_its_first_line_and_then_saved() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.md"), "one\ntwo\n").unwrap();
        fs::write(root.path().join("b.md"), "same\n").unwrap();
        let mut tree = Tree::new(root.path());
        tree.write("a.md", "one\nzwei\n".to_owned());
        tree.write("b.md", "same\n".to_owned());
        assert_eq!(tree.read("a.md").unwrap(), "one\nzwei\n");

        let message = "`cargo xtask sync` was not run:\n  - two\n  + zwei";
        assert_eq!(tree.differences(), [Problem::new("a.md", 2, message)]);
        assert_eq!(tree.save(), []);
        assert_eq!(fs::read_to_string(root.path().join("a.md")).unwrap(), "one\nzwei\n");
        assert_eq!(tree.differences(), []);
    }
}
