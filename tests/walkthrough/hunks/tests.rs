use super::diff::hunks;
use super::{Outcome, check, uncovered};
use crate::markdown::Document;
use crate::source::{DEPENDENCIES, Tree};
use libtest_mimic::Trial;

const OLD: &str = "use a;\n
// A comment.
fn same() {}

fn gone() {
    before();
}

impl Type {
    fn run(&self) {
        one();
        two();
    }
}
";

const NEW: &str = "use b;\n
/// Another comment.
fn same()  {}

impl Type {
    fn run(&self) {
        loop {
            one();
            two(); // A comment.
        }
        three();
    }
}

impl Drop for Type {
    fn drop(&mut self) {
        four();
    }
}
";

fn tree() -> Tree {
    let mut tree = Tree::default();
    tree.plant("3", "a.rs", OLD);
    tree.plant("3", DEPENDENCIES, "log.workspace = true\n");
    tree.plant("4", "a/mod.rs", &NEW.replace("same()  {}", "same() {}"));
    tree.plant("4", DEPENDENCIES, "log.workspace = true\nrayon.workspace = true\n");
    tree
}

/// A text whose chapter 4 has an excerpt and these bullets.
fn chapter(bullets: &str) -> Document {
    let text = format!(
        "# Title\n\n## 4. Four\n\n```rust stage=4 file=a/mod.rs item=Type::drop\n\
         fn drop(&mut self) {{\n    four();\n}}\n```\n\n### Also changed\n\n{bullets}\n"
    );
    Document::parse("t.md", text)
}

const BULLETS: [&str; 4] = [
    "- `Cargo.toml`, `rayon`: for the pool.\n",
    "- `a/mod.rs`, `use`, `gone`:\n  both follow.\n",
    "- `a/mod.rs`,\n  `Type::run`: in a loop.\n",
    "- `a/mod.rs`, `Drop for Type`: shown, and listed as well.\n",
];

fn outcome(bullets: &str) -> Outcome {
    check(&chapter(bullets), &tree(), 4)
}

/// What is found with these bullets, in words.
fn found(bullets: &str) -> Vec<String> {
    outcome(bullets).findings.into_iter().map(|found| found.words).collect()
}

fn a_hunk_is_what_changes_in_one_item() {
    let hunks = hunks(&tree(), 4).unwrap();
    let words: Vec<_> =
        hunks.iter().map(|hunk| format!("{}: {}", hunk.place(), hunk.words())).collect();
    let expected = [
        "`Cargo.toml`, `rayon`: line 2: `rayon.workspace = true`",
        "`a/mod.rs`, `use`: line 1: `use b;`",
        "`a/mod.rs`, `gone`: gone, before lines 6 to 7: `fn gone() {`",
        "`a/mod.rs`, `Type::run`: line 8: `loop {`",
        "`a/mod.rs`, `Type::run`: line 12: `three();`",
        "`a/mod.rs`, `Type::drop`: lines 17 to 18: `fn drop(&mut self) {`",
    ];
    assert_eq!(words, expected);
}

fn hunks_are_shown_or_listed() {
    let outcome = outcome(&BULLETS.concat());
    assert_eq!(outcome.findings, []);
    assert_eq!((outcome.shown, outcome.listed), (1, 5));
}

fn a_bullet_may_stand_for_a_whole_file_of_either_name() {
    let outcome = outcome("- `Cargo.toml`: why.\n- `a.rs`: why.\n");
    assert_eq!(outcome.findings, []);
}

fn each_bullet_that_is_left_out_is_missed() {
    let missed = [
        &["`Cargo.toml`, `rayon`, line 2: `rayon.workspace = true` is neither shown nor listed"][..],
        &[
            "`a/mod.rs`, `use`, line 1: `use b;` is neither shown nor listed",
            "`a/mod.rs`, `gone`, gone, before lines 6 to 7: `fn gone() {` is neither shown nor listed",
        ],
        &[
            "`a/mod.rs`, `Type::run`, line 8: `loop {` is neither shown nor listed",
            "`a/mod.rs`, `Type::run`, line 12: `three();` is neither shown nor listed",
        ],
        &[],
    ];
    for (left_out, missed) in missed.iter().enumerate() {
        let mut bullets = BULLETS;
        bullets[left_out] = "";
        assert_eq!(found(&bullets.concat()), *missed);
    }
}

fn a_planted_change_of_the_code_is_caught() {
    let mut tree = tree();
    tree.plant("4", "new.rs", "fn new() {}");
    let outcome = check(&chapter(&BULLETS.concat()), &tree, 4);
    let words = "`new.rs`, `new`, line 1: `fn new() {}` is neither shown nor listed";
    assert_eq!(outcome.findings[0].words, words);
    assert!(uncovered(&chapter(&BULLETS.concat()), &tree).contains("- `new.rs`, `new`: line 1"));
}

fn an_excerpt_of_another_chapter_shows_nothing_here() {
    let text = chapter(&BULLETS[..3].concat()).text.replace("```rust", "## 9. Nine\n\n```rust");
    let outcome = check(&Document::parse("t.md", text), &tree(), 4);
    assert_eq!(outcome.shown, 0);
}

fn bullets_that_name_no_hunk_are_caught() {
    let all = BULLETS.concat();
    assert_eq!(found(&format!("{all}- `b.rs`: why.\n")), ["`b.rs` has not changed"]);
    let words = ["`same` has not changed in `a/mod.rs`"];
    assert_eq!(found(&format!("{all}- `a/mod.rs`, `gone`, `same`: why.\n")), words);
}

fn a_bullet_may_name_what_was_replaced_beside_what_replaces_it() {
    let mut tree = tree();
    tree.plant("3", "b.rs", "fn lock() { 1 }");
    tree.plant("4", "b.rs", "fn read() { 1 }\nfn write() { 1 }");
    let found = |bullet: &str| {
        let bullets = format!("{}{bullet}", BULLETS.concat());
        let findings = check(&chapter(&bullets), &tree, 4).findings;
        findings.into_iter().map(|found| found.words).collect::<Vec<_>>()
    };
    assert!(found("- `b.rs`, `lock`, `read`, `write`: two for one.\n").is_empty());
    let missed = ["`b.rs`, `write`, line 2: `fn write() { 1 }` is neither shown nor listed"];
    assert_eq!(found("- `b.rs`, `lock`, `read`: one for one.\n"), missed);
}

fn bullets_of_another_form_are_caught() {
    let words = ["a bullet has to be \"`file`, `item`, `item`: why\""];
    for bullet in ["- `a.rs`\n", "- `a.rs`:\n", "- a.rs: why\n", "- `a.rs` and `same`: why\n"] {
        assert_eq!(found(&format!("{}{bullet}", BULLETS.concat())), words, "{bullet}");
    }
}

fn a_missing_chapter_is_caught() {
    let outcome = check(&chapter(""), &tree(), 3);
    assert_eq!(outcome.findings[0].words, "there is no chapter 3");
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        a_hunk_is_what_changes_in_one_item,
        hunks_are_shown_or_listed,
        a_bullet_may_stand_for_a_whole_file_of_either_name,
        each_bullet_that_is_left_out_is_missed,
        a_planted_change_of_the_code_is_caught,
        an_excerpt_of_another_chapter_shows_nothing_here,
        bullets_that_name_no_hunk_are_caught,
        a_bullet_may_name_what_was_replaced_beside_what_replaces_it,
        bullets_of_another_form_are_caught,
        a_missing_chapter_is_caught,
    ]
}
