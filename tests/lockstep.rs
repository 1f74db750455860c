//! Keeps the stages from drifting apart.
//!
//! Each stage repeats the code of the one before, but for what the step is about. What that is, its
//! Cargo.toml declares (`package.metadata.lockstep`). A file that is not declared must be the same,
//! byte for byte; a declared one must differ in more than comments. `Cargo.toml` in the list stands
//! for the dependencies. And no stage's code may speak of steps: the walkthrough tells the history.

#[path = "support/code.rs"]
mod code;

use code::code;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A stage as this test sees it.
#[derive(Clone, Default)]
struct Stage {
    /// Below `src`; the text by the path. The dependencies are listed as `Cargo.toml`.
    files: BTreeMap<String, String>,
    /// What it declares to differ from the stage before.
    declared: BTreeSet<String>,
}

impl Stage {
    fn read(dir: &Path) -> Stage {
        let mut files = BTreeMap::new();
        read_files(&dir.join("src"), "", &mut files);
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        files.insert("Cargo.toml".to_owned(), manifest["dependencies"].to_string());
        let declared = manifest["package"]
            .get("metadata")
            .map(|metadata| metadata["lockstep"]["changed"].as_array().unwrap().as_slice())
            .unwrap_or_default();
        let declared = declared.iter().map(|file| file.as_str().unwrap().to_owned()).collect();
        Stage { files, declared }
    }
}

fn read_files(dir: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read_files(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

fn stages() -> Vec<Stage> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("stages");
    let mut dirs: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(char::is_numeric))
        .collect();
    dirs.sort();
    assert_eq!(dirs.len(), 7);
    dirs.iter().map(|dir| Stage::read(dir)).collect()
}

/// All that is wrong with `stage` as the successor of `before`.
fn drift(before: &Stage, stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = before.files.keys().chain(stage.files.keys()).collect();
    for name in &names {
        let (old, new) = (before.files.get(*name), stage.files.get(*name));
        let declared = stage.declared.contains(*name);
        let same_code = old.map(|text| code(text)) == new.map(|text| code(text));
        if !declared && old != new {
            found.push(format!("{name} differs and is not declared"));
        } else if declared && same_code {
            found.push(format!("{name} is declared and differs in comments at most"));
        }
    }
    let unknown = stage.declared.iter().filter(|name| !names.contains(name));
    found.extend(unknown.map(|name| format!("{name} is declared and does not exist")));
    found
}

/// What a stage's code must not say: it does not know that there are others, nor who owns it.
const FORBIDDEN: [&str; 9] =
    ["stage", "step ", "previous", "no longer", "not yet", "changed", "chapter", "copyright", "/*"];

fn gossip(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in stage.files.iter().filter(|(name, _)| name.ends_with(".rs")) {
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase().replace("as one step of `walkthrough.md`", "");
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{name}:{}: `{word}`", number + 1));
            }
        }
    }
    found
}

#[test]
fn each_stage_differs_from_the_one_before_only_as_declared() {
    let stages = stages();
    let mut compared = 0;
    for (number, pair) in stages.windows(2).enumerate() {
        assert_eq!(drift(&pair[0], &pair[1]), Vec::<String>::new(), "stage {}", number + 2);
        compared += pair[1].files.len();
    }
    assert!(compared > 50, "only {compared} files were compared");
}

#[test]
fn no_stage_speaks_of_the_others() {
    for (number, stage) in stages().iter().enumerate() {
        assert_eq!(gossip(stage), Vec::<String>::new(), "stage {}", number + 1);
    }
}

/// Plants a fault into a good pair of stages and expects it, and nothing else, to be found.
#[track_caller]
fn assert_caught(plant: impl FnOnce(&mut Stage), expected: &str) {
    let stages = stages();
    let (before, mut stage) = (&stages[2], stages[3].clone());
    assert_eq!(drift(before, &stage), Vec::<String>::new());
    plant(&mut stage);
    assert_eq!(drift(before, &stage), [expected]);
}

#[test]
fn a_planted_space_in_an_undeclared_file_is_caught() {
    let plant = |stage: &mut Stage| *stage.files.get_mut("kv_store/mod.rs").unwrap() += " ";
    assert_caught(plant, "kv_store/mod.rs differs and is not declared");
}

#[test]
fn a_planted_undeclared_file_is_caught() {
    let plant = |stage: &mut Stage| drop(stage.files.insert("new.rs".into(), String::new()));
    assert_caught(plant, "new.rs differs and is not declared");
}

#[test]
fn a_planted_removal_is_caught() {
    let plant = |stage: &mut Stage| drop(stage.files.remove("engine.rs"));
    assert_caught(plant, "engine.rs differs and is not declared");
}

#[test]
fn a_planted_dependency_is_caught() {
    let plant = |stage: &mut Stage| {
        assert!(stage.declared.remove("Cargo.toml"));
        *stage.files.get_mut("Cargo.toml").unwrap() += "left-pad = \"1\"\n";
    };
    assert_caught(plant, "Cargo.toml differs and is not declared");
}

#[test]
fn a_planted_declaration_of_a_file_that_differs_in_comments_only_is_caught() {
    let before = stages()[2].files["server/mod.rs"].clone();
    let plant = |stage: &mut Stage| {
        let text = format!("// \"A comment.\"\n{}", before.replace(" = ", "  =  // \"why\n"));
        stage.files.insert("server/mod.rs".into(), text);
    };
    assert_caught(plant, "server/mod.rs is declared and differs in comments at most");
}

#[test]
fn a_planted_declaration_of_a_file_that_does_not_exist_is_caught() {
    let plant = |stage: &mut Stage| assert!(stage.declared.insert("ghost.rs".into()));
    assert_caught(plant, "ghost.rs is declared and does not exist");
}

#[test]
fn a_planted_look_into_the_future_is_caught() {
    let mut stage = stages()[2].clone();
    *stage.files.get_mut("server/mod.rs").unwrap() =
        "fn f() {} // a later stage mends this".to_owned();
    assert_eq!(gossip(&stage), ["server/mod.rs:1: `stage`"]);
}
