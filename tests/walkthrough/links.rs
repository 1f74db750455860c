//! What the text points to exists: files, headings, figures.

use crate::markdown::{Content, Document, Kind, Link};
use crate::report::{Counts, Finding, verdict};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The repository's other texts.
const OTHERS: [&str; 3] = ["README.md", "benches/README.md", "SECURITY.md"];

/// What is wrong with the links of a text; those to files are relative to `dir`.
fn check(document: &Document, dir: &Path) -> Vec<Finding> {
    let wrong = |link: &Link| {
        let words = broken(document, dir, &link.target)?;
        Some(Finding::new(link.line, format!("`{}`: {words}", link.target)))
    };
    let links = document.links().filter_map(wrong);
    links.chain(unexplained(document)).chain(literal(document)).collect()
}

/// Brackets that were meant as a link and that the reader sees: `[a][ghost]`, `[a] (b)`.
fn literal(document: &Document) -> impl Iterator<Item = Finding> + '_ {
    document.proses().filter_map(|(block, prose)| {
        let text = prose.text(false);
        let brackets = ["][", "](", "] ("].into_iter().find(|brackets| text.contains(brackets))?;
        Some(Finding::new(block.line, format!("`{brackets}` is read as it stands, and is no link")))
    })
}

fn broken(document: &Document, dir: &Path, target: &str) -> Option<&'static str> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = dir.join(file);
    if !file.is_empty() && !path.exists() {
        return Some("there is no such file");
    }
    if anchor.is_empty() {
        return None;
    }
    if file.is_empty() {
        return missing(document, anchor);
    }
    if path.extension().is_none_or(|extension| extension != "md") {
        return Some("only a Markdown file has headings to point to");
    }
    missing(&Document::read(&path), anchor)
}

fn missing(document: &Document, anchor: &str) -> Option<&'static str> {
    let exists = document.headings().any(|(_, heading)| heading.slug == anchor);
    (!exists).then_some("there is no such heading")
}

/// Figures that stand alone, so that the reader does not know what to look at. One that is made of
/// HTML tags is a block of its own: its sentence is the next paragraph, or ends in a colon before it.
fn unexplained(document: &Document) -> Vec<Finding> {
    let text = |at: Option<usize>| match document.blocks.get(at?).map(|block| &block.content) {
        Some(Content::Prose(prose)) => Some(prose.text(true)),
        _ => None,
    };
    let is_sentence = |text: &String| text.split_whitespace().count() > 3;
    let mut findings = Vec::new();
    for (at, block) in document.blocks.iter().enumerate() {
        let Content::Prose(prose) = &block.content else { continue };
        let before = text(at.checked_sub(1)).filter(|text| text.ends_with(':'));
        let candidates = if prose.kind == Kind::Html {
            [before, text(Some(at)), text(Some(at + 1))]
        } else {
            [None, text(Some(at)), None]
        };
        if !prose.images.is_empty() && !candidates.iter().flatten().any(is_sentence) {
            let words = "a figure without a sentence that says what to look at";
            findings.push(Finding::new(block.line, words));
        }
        let blind = prose.images.iter().filter(|image| image.alt.trim().is_empty());
        findings.extend(blind.map(|image| {
            Finding::new(image.link.line, "a figure without words for those who do not see it")
        }));
    }
    findings
}

/// A trial for each text: the walkthrough, whose links are relative to the root, and the others.
pub fn trials(document: &Arc<Document>, root: &Path, counts: &Arc<Counts>) -> Vec<Trial> {
    let others = OTHERS.into_iter().map(|name| root.join(name)).filter(|path| path.exists());
    let others = others.map(|path| {
        let dir = path.parent().unwrap_or(root).to_owned();
        (Arc::new(Document::read(&path)), dir)
    });
    let texts = [(Arc::clone(document), root.to_owned())].into_iter().chain(others);
    let trial = |(document, dir): (Arc<Document>, PathBuf)| {
        let counts = Arc::clone(counts);
        let place = dir.strip_prefix(root).unwrap_or(&dir).join(&document.name);
        Trial::test(format!("links::of_{}_lead_somewhere", place.display()), move || {
            let figures = document.proses().map(|(_, prose)| prose.images.len()).sum();
            counts.add("figures", figures);
            counts.add("links", document.links().count() - figures);
            verdict(&document, check(&document, &dir))
        })
    };
    texts.map(trial).collect()
}

/// What is found in a text that stands at the root of the repository.
fn found(text: &str) -> Vec<String> {
    let findings = check(&Document::parse("t.md", text), Path::new(crate::ROOT));
    findings.into_iter().map(|found| format!("{}: {}", found.line, found.words)).collect()
}

fn links_to_what_exists_are_good() {
    let text = "# A title\n\n[a](#a-title) [b](README.md) [c](README.md#run-it) [d](stages)\n\
                [e](https://example.org/)\n";
    assert!(found(text).is_empty());
}

fn links_to_nothing_are_caught() {
    assert_eq!(found("# A title\n[a](#title)"), ["2: `#title`: there is no such heading"]);
    assert_eq!(found("[a](ghost.md)"), ["1: `ghost.md`: there is no such file"]);
    let words = ["1: `README.md#ghost`: there is no such heading"];
    assert_eq!(found("[a](README.md#ghost)"), words);
    let words = ["1: `stages/lib.rs#L1`: only a Markdown file has headings to point to"];
    assert_eq!(found("# [a](stages/lib.rs#L1)"), words);
    let words = ["1: `ghost.svg`: there is no such file"];
    assert_eq!(found("![ghost](ghost.svg) It shows a ghost."), words);
    assert_eq!(found("<a href=\"ghost.svg\">Boo</a>"), words);
    let words = ["1: `][` is read as it stands, and is no link"];
    assert_eq!(found("See [the text][ghost]."), words);
    let words = ["1: `] (` is read as it stands, and is no link"];
    assert_eq!(found("See [the text] (README.md)."), words);
}

fn a_figure_without_a_sentence_is_caught() {
    let words = ["1: a figure without a sentence that says what to look at"];
    assert_eq!(found("![A file](LICENSE-MIT)\n\nThe lines rise and fall."), words);
    assert!(found("![A file](LICENSE-MIT)\nThe lines rise and fall.").is_empty());
    let html = "<picture>\n<img src=\"LICENSE-MIT\" alt=\"A file\">\n</picture>\n\n";
    assert_eq!(found(html), words);
    assert!(found(&format!("{html}The lines rise and fall.")).is_empty());
    assert!(found(&format!("The lines rise and fall:\n\n{html}")).is_empty());
    assert_eq!(found(&format!("{html}# A heading that says a lot")), words);
    let words = ["1: a figure without words for those who do not see it"];
    assert_eq!(found("![](LICENSE-MIT) The lines rise and fall."), words);
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        links_to_what_exists_are_good,
        links_to_nothing_are_caught,
        a_figure_without_a_sentence_is_caught,
    ]
}
