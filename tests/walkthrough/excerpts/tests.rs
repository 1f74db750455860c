use super::{check, excerpts, lengths, median, rewrite, too_long, unchecked};
use crate::markdown::Document;
use crate::source::Tree;
use libtest_mimic::Trial;

const SOURCE: &str = r#"
/// Doubles.
///
/// Twice.
#[inline]
pub fn double(number: u64) -> u64 {
    // By addition.
    let sum = number + number;

    sum
}

impl Counter {
    fn one(&self) {
        first();
        second();
    }

    fn two(&self) {
        third();
    }
}

impl Drop for Counter {
    fn two(&mut self) {}
}
"#;

fn tree(source: &str) -> Tree {
    let mut tree = Tree::default();
    tree.plant("4", "a.rs", source);
    tree
}

fn block(item: &str, text: &str) -> Document {
    let text = format!("# Title\n\n```rust stage=4 file=a.rs item=\"{item}\"\n{text}```\n");
    Document::parse("t.md", text)
}

/// What is wrong with an excerpt of [`SOURCE`].
fn wrong(item: &str, text: &str) -> Option<String> {
    let document = block(item, text);
    let excerpt = excerpts(&document).next().unwrap();
    check(&excerpt, &tree(SOURCE)).map(|found| {
        assert_eq!(found.line, 3);
        found.words
    })
}

#[track_caller]
fn assert_good(item: &str, text: &str, expected: &[usize]) {
    let document = block(item, text);
    let shown = excerpts(&document).next().unwrap().shown(&tree(SOURCE));
    assert_eq!(shown.as_deref(), Ok(expected));
}

fn an_excerpt_is_good_whole_with_folds_and_without_its_comments() {
    let text = SOURCE.lines().skip(1).take(10).map(|line| format!("{line}\n")).collect::<String>();
    assert_good("double", &text, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_good("double", "pub fn double(number: u64) -> u64 {\n    …\n    sum\n}\n", &[6, 10, 11]);
    assert_good("double", "#[inline]\npub fn double(number: u64) -> u64 { … }\n", &[5, 6, 11]);
    assert_good("double", "…\n    let sum = number + number;\n…\n", &[8]);
    assert_good("Counter::one", "fn one(&self) {\n    …\n    second();\n}\n", &[14, 16, 17]);
    let text = "impl Counter {\n    fn one(&self) { … }\n\n    fn two(&self) { … }\n}\n";
    assert_good("impl Counter", text, &[13, 14, 17, 18, 19, 21, 22]);
    assert_good("Drop for Counter::two", "fn two(&mut self) {}\n", &[25]);
}

fn an_excerpt_that_begins_indented_is_from_the_middle() {
    assert_good("double", "    let sum = number + number;\n", &[8]);
    assert_good("double", "    // By addition.\n    …\n    sum\n", &[7, 10]);
    assert_good("double", "    sum\n}\n", &[10, 11]);
    assert_good("double", "    // By addition.\n    …\n", &[7]);
    let text = "    let sum = number + number;\n    sum\n";
    assert_eq!(wrong("double", text).unwrap(), "`sum` is not in the item, or not here");
}

fn a_planted_change_is_caught() {
    let text = "pub fn double(number: u64) -> u64 {\n    …\n    sun\n}\n";
    assert_eq!(wrong("double", text).unwrap(), "`sun` is not in the item, or not here");
}

fn a_planted_gap_without_a_fold_is_caught() {
    let text = "pub fn double(number: u64) -> u64 {\n    sum\n}\n";
    assert_eq!(wrong("double", text).unwrap(), "`sum` is not in the item, or not here");
    let text = "pub fn double(number: u64) -> u64 {\n    …\n    sum\n";
    assert_eq!(wrong("double", text).unwrap(), "the item goes on after the last line shown");
}

fn a_planted_fold_of_nothing_is_caught() {
    let text = "fn two(&self) {\n    third();\n    …\n}\n";
    assert_eq!(wrong("impl Counter::two", text).unwrap(), "`}` is not in the item, or not here");
}

fn a_planted_fold_of_a_body_that_goes_beyond_it_is_caught() {
    let text = "impl Counter {\n    fn one(&self) { … }\n}\n";
    assert_eq!(wrong("impl Counter", text).unwrap(), "`}` is not in the item, or not here");
}

fn an_item_that_does_not_exist_or_exists_twice_is_caught() {
    assert_eq!(wrong("ghost", "x\n").unwrap(), "`a.rs` of stage 4 has no `ghost`");
    let twice =
        "`a.rs` has `Counter::two` 2 times: `impl Counter::two`, `impl Drop for Counter::two`";
    assert_eq!(wrong("Counter::two", "x\n").unwrap(), twice);
    let document = Document::parse("t.md", "```rust stage=9 file=a.rs item=x\n```\n");
    let excerpt = excerpts(&document).next().unwrap();
    assert_eq!(check(&excerpt, &tree("")).unwrap().words, "there is no stage `9`");
}

fn a_block_that_nobody_checks_is_caught() {
    let found = |info: &str| {
        let found = unchecked(&Document::parse("t.md", format!("```{info}\nx\n```\n")));
        found.into_iter().map(|found| found.words).collect::<Vec<_>>()
    };
    assert!(found("rust stage=4 file=a.rs item=x").is_empty());
    assert!(found("rust runs stage=4").is_empty());
    assert!(found("text").is_empty());
    assert_eq!(found("rust,ignore"), ["a block in the language `rust,ignore`"]);
    assert_eq!(found(""), ["a block in the language ``"]);
    assert_eq!(found("rust"), ["a block of Rust needs stage, file and item"]);
    assert_eq!(found("rust stage=4 item=x"), ["a block of Rust needs stage, file and item"]);
    assert_eq!(found("rust runs file=a.rs"), ["`runs` does not go with file and item"]);
}

fn a_screen_of_code_is_caught() {
    let document = block("double", &"x\n".repeat(31));
    assert_eq!(too_long(&document)[0].words, "a block of 31 lines");
    assert!(too_long(&block("double", &"x\n".repeat(30))).is_empty());
    assert_eq!(median(&lengths(&document)), 31);
}

/// Writes the excerpt of `item` anew after `from` has become `to` in the source.
fn rewritten(item: &str, text: &str, from: &str, to: &str) -> Result<String, String> {
    assert_eq!(wrong(item, text), None, "good at first");
    assert!(SOURCE.contains(from));
    let document = block(item, text);
    let (new, count, failed) = rewrite(&document, &tree(&SOURCE.replace(from, to)));
    match &failed[..] {
        [] => {
            assert_eq!(count, 1);
            let new = new.strip_prefix(
                document.text.split_inclusive('\n').take(3).collect::<String>().as_str(),
            );
            Ok(new.unwrap().strip_suffix("```\n").unwrap().to_owned())
        }
        [found] => Err(found.words.clone()),
        _ => panic!("{failed:?}"),
    }
}

fn a_changed_source_is_followed_and_folds_stay() {
    let old = "pub fn double(number: u64) -> u64 {\n    …\n    sum\n}\n";
    let new = "pub fn double(number: u64) -> u64 {\n    …\n    sum\n    // Done.\n}\n";
    assert_eq!(rewritten("double", old, "    sum\n", "    sum\n    // Done.\n").unwrap(), new);
    // What is folded may change unseen.
    let document = block("double", old);
    let tree = tree(&SOURCE.replace("By addition", "Slowly"));
    assert_eq!(rewrite(&document, &tree), (document.text.clone(), 0, Vec::new()));

    let old = "impl Counter {\n    fn one(&self) { … }\n\n    fn two(&self) {\n        third();\n    }\n}\n";
    let new = "impl Counter {\n    fn one(&self) { … }\n\n    fn two(&self) {\n        fourth();\n    }\n}\n";
    assert_eq!(rewritten("impl Counter", old, "third", "fourth").unwrap(), new);

    let old = "    // By addition.\n    let sum = number + number;\n    …\n";
    let new = "    // By addition.\n    first();\n    let sum = number + number;\n    …\n";
    let to = "    first();\n    let sum =";
    assert_eq!(rewritten("double", old, "    let sum =", to).unwrap(), new);
}

/// Brackets are alike: the shortest way from old to new must not take one for another.
fn a_fold_stays_where_a_bracket_goes() {
    let old = "impl Counter {\n    fn one(&self) {\n        …\n    }\n\n    fn two(&self) {\n        \
               third();\n    }\n}\n";
    let new = old
        .replace("third", "fourth")
        .replace("        …\n    }\n", "        …\n    }\n    const A: () = ();\n");
    let source = "    }\n    const A: () = ();\n\n    fn two(&self) {\n        fourth";
    let from = "    }\n\n    fn two(&self) {\n        third";
    assert_eq!(rewritten("impl Counter", old, from, source).unwrap(), new);
}

fn a_fold_that_lost_its_neighbour_is_reported() {
    let old = "pub fn double(number: u64) -> u64 {\n    …\n    sum\n}\n";
    let failed = rewritten("double", old, "    sum\n", "    total\n").unwrap_err();
    assert_eq!(failed, "a fold's neighbour is gone: `sum`");
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        an_excerpt_is_good_whole_with_folds_and_without_its_comments,
        an_excerpt_that_begins_indented_is_from_the_middle,
        a_planted_change_is_caught,
        a_planted_gap_without_a_fold_is_caught,
        a_planted_fold_of_nothing_is_caught,
        a_planted_fold_of_a_body_that_goes_beyond_it_is_caught,
        an_item_that_does_not_exist_or_exists_twice_is_caught,
        a_block_that_nobody_checks_is_caught,
        a_screen_of_code_is_caught,
        a_changed_source_is_followed_and_folds_stay,
        a_fold_stays_where_a_bracket_goes,
        a_fold_that_lost_its_neighbour_is_reported,
    ]
}
