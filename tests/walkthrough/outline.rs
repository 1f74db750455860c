//! The headings make a tree, and the table of contents is that of the chapters.

use crate::markdown::{Document, Kind};
use crate::report::{Counts, Finding, verdict};
use libtest_mimic::Trial;
use std::sync::Arc;

/// What is wrong with the headings: one title, no level skipped, chapters counted from 1.
fn headings(document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before = 0;
    for (block, heading) in document.headings() {
        if heading.level > before + 1 {
            let words = format!("`{}` skips a level", heading.text);
            findings.push(Finding::new(block.line, words));
        }
        if (heading.level == 1) != (before == 0) {
            let words = format!("`{}`: the title comes first, and once", heading.text);
            findings.push(Finding::new(block.line, words));
        }
        before = heading.level;
    }
    let numbered = document.chapters.iter().filter(|chapter| chapter.number.is_some());
    for (at, chapter) in numbered.enumerate() {
        if chapter.number != Some(at + 1) {
            let line = document.blocks[chapter.blocks.start].line;
            let words = format!("`{}` should have the number {}", chapter.title, at + 1);
            findings.push(Finding::new(line, words));
        }
    }
    findings
}

/// What is wrong with the table of contents: the first list of links, before any chapter.
fn contents(document: &Document) -> Vec<Finding> {
    let items = document.proses().filter(|(block, prose)| {
        block.chapter == 0 && prose.kind == Kind::Item && prose.links.len() == 1
    });
    let found = items.map(|(block, prose)| {
        (block.line, format!("{} {}", prose.text(true), prose.links[0].target))
    });
    let numbered = document.chapters.iter().filter_map(|chapter| {
        let (_, title) = chapter.title.split_once(". ")?;
        chapter.number.map(|_| (chapter, title))
    });
    let expected = numbered.map(|(chapter, title)| {
        let block = &document.blocks[chapter.blocks.start];
        let slug = document.headings().find(|(found, _)| found.line == block.line);
        format!("{title} #{}", slug.map_or("", |(_, heading)| &heading.slug))
    });
    let (found, expected): (Vec<_>, Vec<_>) = (found.collect(), expected.collect());
    let mut findings = Vec::new();
    for at in 0..found.len().max(expected.len()) {
        let (line, text) = found.get(at).map_or((1, "nothing"), |(line, text)| (*line, text));
        let chapter = expected.get(at).map_or("nothing", String::as_str);
        if text != chapter {
            let words = format!("the table of contents has `{text}`, the chapters `{chapter}`");
            findings.push(Finding::new(line, words));
        }
    }
    findings
}

pub fn trials(document: &Arc<Document>, counts: &Arc<Counts>) -> Vec<Trial> {
    let (text, counts) = (Arc::clone(document), Arc::clone(counts));
    let headings = move || {
        for (number, chapter) in text.chapters.iter().enumerate() {
            let proses = text.proses().filter(|(block, _)| block.chapter == number);
            let words = proses.map(|(_, prose)| prose.text(true).split_whitespace().count()).sum();
            counts.add("words", words);
            let title = if number == 0 { "introduction" } else { &chapter.title };
            counts.add(&format!("words: {title}"), words);
        }
        verdict(&text, headings(&text))
    };
    let text = Arc::clone(document);
    vec![
        Trial::test("outline::headings_make_a_tree", headings),
        Trial::test("outline::the_table_of_contents_is_that_of_the_chapters", move || {
            verdict(&text, contents(&text))
        }),
    ]
}

const GOOD: &str = "# T\n\n1. [One `x`](#1-one-x)\n2. [Two](#2-two)\n\n## How\n\n## 1. One `x`\n\n\
                    - [not](#t)\n\n### Sub\n\n## 2. Two\n";

/// What is found after `from` has become `to` in a good text.
fn found(check: fn(&Document) -> Vec<Finding>, from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from));
    let findings = check(&Document::parse("t.md", GOOD.replacen(from, to, 1)));
    findings.into_iter().map(|found| format!("{}: {}", found.line, found.words)).collect()
}

fn a_good_outline_is_good() {
    assert!(found(headings, "", "").is_empty());
    assert!(found(contents, "", "").is_empty());
}

fn a_skipped_level_is_caught() {
    assert_eq!(found(headings, "### Sub", "#### Sub"), ["12: `Sub` skips a level"]);
}

fn a_second_title_and_a_missing_one_are_caught() {
    let words = ["6: `How`: the title comes first, and once"];
    assert_eq!(found(headings, "## How", "# How"), words);
    let words = ["6: `How` skips a level", "6: `How`: the title comes first, and once"];
    assert_eq!(found(headings, "# T\n", "\n"), words);
}

fn a_chapter_out_of_order_is_caught() {
    assert_eq!(
        found(headings, "## 2. Two", "## 3. Two"),
        ["14: `3. Two` should have the number 2"]
    );
}

fn a_table_of_contents_that_differs_is_caught() {
    let words = "4: the table of contents has `Too #2-two`, the chapters `Two #2-two`";
    assert_eq!(found(contents, "[Two]", "[Too]"), [words]);
    let words = "1: the table of contents has `nothing`, the chapters `Two #2-two`";
    assert_eq!(found(contents, "2. [Two](#2-two)\n", ""), [words]);
    let words = "4: the table of contents has `Two #2-two`, the chapters `nothing`";
    assert_eq!(found(contents, "## 2. Two", "## Two"), [words]);
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        a_good_outline_is_good,
        a_skipped_level_is_caught,
        a_second_title_and_a_missing_one_are_caught,
        a_chapter_out_of_order_is_caught,
        a_table_of_contents_that_differs_is_caught,
    ]
}
