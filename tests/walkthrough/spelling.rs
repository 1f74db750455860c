//! Every word of the text is in a list that somebody has read.

use crate::markdown::{Content, Document};
use crate::report::{Counts, Finding, verdict};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The words that the text uses, one a line, sorted.
pub fn list(root: &Path) -> PathBuf {
    root.join("tests/walkthrough/words.txt")
}

/// The words of the text, each with the line that it is first in. What stands between backticks is
/// left out, and so is what has a digit in it.
fn words(document: &Document) -> BTreeMap<String, usize> {
    let mut words = BTreeMap::new();
    let mut add = |line: usize, text: &str| {
        for word in text.split(|c: char| !c.is_alphanumeric() && !['\'', '’'].contains(&c)) {
            let word = word.trim_matches(['\'', '’']).to_lowercase().replace('’', "'");
            let word = word.strip_suffix("'s").unwrap_or(&word);
            if word.chars().count() > 1 && !word.contains(|c: char| c.is_ascii_digit()) {
                words.entry(word.to_owned()).or_insert(line);
            }
        }
    };
    for block in &document.blocks {
        match &block.content {
            Content::Heading(heading) => {
                let text = heading.text.split('`').step_by(2).collect::<Vec<_>>();
                add(block.line, &text.join(" "));
            }
            Content::Prose(prose) => {
                for piece in prose.pieces.iter().filter(|piece| !piece.is_code) {
                    add(piece.line, &piece.text);
                }
                for image in &prose.images {
                    add(image.link.line, &image.alt);
                }
            }
            Content::Code(_) | Content::Comment(_) => {}
        }
    }
    words
}

/// What is wrong with the text or with the list.
fn check(document: &Document, list: &str) -> Vec<Finding> {
    let words = words(document);
    let known: Vec<_> = list.lines().collect();
    let mut findings = Vec::new();
    for (word, line) in &words {
        if !known.contains(&word.as_str()) {
            findings.push(Finding::new(*line, format!("`{word}` is not in the list of words")));
        }
    }
    for pair in known.windows(2).filter(|pair| pair[0] >= pair[1]) {
        let words = format!("the list of words has `{}` before `{}`", pair[0], pair[1]);
        findings.push(Finding::new(1, words));
    }
    for word in known.iter().filter(|word| !words.contains_key(**word)) {
        findings.push(Finding::new(1, format!("`{word}` is in the list of words for nothing")));
    }
    findings
}

/// Makes the list the words of this text. Returns those that are new, to be read.
pub fn rewrite(document: &Document, root: &Path) -> Vec<String> {
    let path = list(root);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let words = words(document);
    let text: String = words.keys().map(|word| format!("{word}\n")).collect();
    if text != old {
        fs::write(&path, text).unwrap();
    }
    words.into_keys().filter(|word| !old.lines().any(|known| known == word)).collect()
}

pub fn trials(document: &Arc<Document>, root: &Path, counts: &Arc<Counts>) -> Vec<Trial> {
    let (document, path, counts) = (Arc::clone(document), list(root), Arc::clone(counts));
    vec![Trial::test("spelling::every_word_is_in_the_list", move || {
        counts.add("words: different ones", words(&document).len());
        verdict(&document, check(&document, &fs::read_to_string(&path)?))
    })]
}

const TEXT: &str = "# The `ghost`'s server\n\nA reader’s *lock*,\nsled's 4th-rate `fsyync`. Don't.\n\n\
                    ![Lines](a.svg)\n";
const LIST: &str = "don't\nlines\nlock\nrate\nreader\nserver\nsled\nthe\n";

fn found(text: &str, list: &str) -> Vec<String> {
    let findings = check(&Document::parse("t.md", text), list);
    findings.into_iter().map(|found| format!("{}: {}", found.line, found.words)).collect()
}

fn words_of_the_list_are_good_and_code_is_no_word() {
    assert_eq!(found(TEXT, LIST), Vec::<String>::new());
}

fn a_planted_slip_is_caught() {
    let words =
        ["4: `slod` is not in the list of words", "1: `sled` is in the list of words for nothing"];
    assert_eq!(found(&TEXT.replace("sled", "slod"), LIST), words);
}

fn a_list_out_of_order_is_caught() {
    let list = LIST.replace("lines\nlock\n", "lock\nlines\n");
    assert_eq!(found(TEXT, &list), ["1: the list of words has `lock` before `lines`"]);
}

fn a_rewritten_list_is_right() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("tests/walkthrough")).unwrap();
    fs::write(list(root.path()), "lock\nold\n").unwrap();
    let new = rewrite(&Document::parse("t.md", TEXT), root.path());
    assert_eq!(new, ["don't", "lines", "rate", "reader", "server", "sled", "the"]);
    assert_eq!(fs::read_to_string(list(root.path())).unwrap(), LIST);
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        words_of_the_list_are_good_and_code_is_no_word,
        a_planted_slip_is_caught,
        a_list_out_of_order_is_caught,
        a_rewritten_list_is_right,
    ]
}
