use super::{Content, Document, Kind};
use libtest_mimic::Trial;

/// A text with one of everything.
const TEXT: &str = r#"# Title

First `code` and
a [link](file.md#anchor). <!-- within -->
<!-- bound: a = b -->

## 1. One

- item `a.rs`, with words
- second

  <!-- in the item -->

```rust stage=4 item="Trait for Type" runs
let x;

```

<details><summary>Guess
12 ms</summary>

Hidden.

</details>

### [Same](x), & same
### Same, & same

| a | b |
|---|---|
| 1 | `2` |
<!-- after the table -->

![figure](a.svg) A sentence.

<picture>
  <source srcset="dark.svg">
  <img alt="Light" src="light.svg">
</picture>
"#;

/// Each block in a line of words.
fn outline(document: &Document) -> Vec<String> {
    let words = |block: &super::Block| {
        let content = match &block.content {
            Content::Heading(heading) => {
                format!("h{} {} #{}", heading.level, heading.text, heading.slug)
            }
            Content::Code(code) => {
                format!("{} {:?} {:?}", code.language, code.attributes, code.text)
            }
            Content::Prose(prose) => format!("{:?} {:?}", prose.kind, prose.text(true)),
            Content::Comment(comment) => format!("comment {comment}"),
        };
        format!("{}: {content}", block.line)
    };
    document.blocks.iter().map(words).collect()
}

fn a_text_becomes_its_blocks_with_their_lines() {
    let expected = [
        "1: h1 Title #title",
        "3: Paragraph \"First `code` and a link.\"",
        "4: comment within",
        "5: comment bound: a = b",
        "7: h2 1. One #1-one",
        "9: Item \"item `a.rs`, with words\"",
        "10: Item \"second\"",
        "12: comment in the item",
        r#"14: rust [("stage", "4"), ("item", "Trait for Type"), ("runs", "")] "let x;\n\n""#,
        "19: Html \"Guess 12 ms\"",
        "22: Paragraph \"Hidden.\"",
        "26: h3 Same, & same #same--same",
        "27: h3 Same, & same #same--same-1",
        "29: Table \"a | b | \\n1 | `2` |\"",
        "32: comment after the table",
        "34: Paragraph \"A sentence.\"",
        "36: Html \"\"",
    ];
    assert_eq!(outline(&Document::parse("t.md", TEXT)), expected);
}

fn blocks_know_their_chapter_and_heading() {
    let document = Document::parse("t.md", TEXT);
    let titles = document.chapters.iter().map(|chapter| (chapter.title.as_str(), chapter.number));
    assert_eq!(titles.collect::<Vec<_>>(), [("", None), ("1. One", Some(1))]);
    let table = document.proses().find(|(_, prose)| prose.kind == Kind::Table).unwrap().0;
    assert_eq!((table.chapter, table.heading.as_str()), (1, "Same, & same"));
    assert_eq!(document.chapters[0].blocks, 0..4);
    assert_eq!(document.chapters[1].blocks, 4..document.blocks.len());
}

fn links_images_and_pieces_know_their_lines() {
    let document = Document::parse("t.md", TEXT);
    let links = document.links().map(|link| (link.line, link.target.as_str()));
    let expected =
        [(4, "file.md#anchor"), (37, "dark.svg"), (34, "a.svg"), (38, "light.svg"), (26, "x")];
    assert_eq!(links.collect::<Vec<_>>(), expected);
    let images = document.proses().flat_map(|(_, prose)| &prose.images);
    let alts: Vec<_> = images.map(|image| image.alt.as_str()).collect();
    assert_eq!(alts, ["figure", "Light"]);
    let html = document.proses().find(|(_, prose)| prose.kind == Kind::Html).unwrap().1;
    assert_eq!(html.pieces.iter().map(|piece| piece.line).collect::<Vec<_>>(), [19, 20]);
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        a_text_becomes_its_blocks_with_their_lines,
        blocks_know_their_chapter_and_heading,
        links_images_and_pieces_know_their_lines,
    ]
}
