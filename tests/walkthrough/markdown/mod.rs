//! A Markdown text as the checks see it: a flat list of blocks, each with its line.

mod html;
mod reader;
mod tests;

use pulldown_cmark::{Options, Parser};
use reader::Reader;
use std::fs;
use std::ops::Range;
use std::path::Path;
pub use tests::tests;

/// A parsed text.
pub struct Document {
    /// The name that findings carry.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
    /// What stands before the first `##` heading, then one for each of them.
    pub chapters: Vec<Chapter>,
}

/// What stands under a `##` heading.
pub struct Chapter {
    /// The heading's text, empty for what stands before the first.
    pub title: String,
    /// The number that the heading begins with: `## 4. A fixed number of threads`.
    pub number: Option<usize>,
    /// Its part of [`Document::blocks`], with its heading.
    pub blocks: Range<usize>,
}

/// A heading, a code block, a piece of prose or a comment.
pub struct Block {
    /// Where it begins, from 1. A code block begins with its fence.
    pub line: usize,
    /// The number of its chapter in [`Document::chapters`].
    pub chapter: usize,
    /// The text of the heading that it stands under, of any level.
    pub heading: String,
    pub content: Content,
}

pub enum Content {
    Heading(Heading),
    Code(Code),
    Prose(Prose),
    /// An HTML comment, without its marks and the white space inside them.
    Comment(String),
}

pub struct Heading {
    /// 1 for `#`.
    pub level: usize,
    /// With the backticks around code.
    pub text: String,
    /// What a link to it has after its `#`.
    pub slug: String,
    pub links: Vec<Link>,
}

/// A fenced code block.
pub struct Code {
    /// The first word of the info string.
    pub language: String,
    /// The others: `name=value`, `name="a value"` or `name`, in order.
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Code {
    /// The value of an attribute; empty if it was given without one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Paragraph,
    /// An item of a list; if it has several paragraphs, the first one.
    Item,
    /// A whole table; its cells are separated by `|` and its rows by line breaks.
    Table,
    /// Text between the tags of an HTML block, such as a `<summary>`.
    Html,
}

/// Text that is read as sentences.
pub struct Prose {
    pub kind: Kind,
    pub pieces: Vec<Piece>,
    pub links: Vec<Link>,
    pub images: Vec<Image>,
}

/// A part of the prose that stands on one line.
pub struct Piece {
    pub line: usize,
    pub text: String,
    /// Between backticks.
    pub is_code: bool,
}

pub struct Link {
    pub line: usize,
    pub target: String,
}

pub struct Image {
    pub link: Link,
    /// What is read where the image is not seen.
    pub alt: String,
}

impl Prose {
    /// The text as it is read, on one line (a table has one for each row), with each inline code
    /// as it stands in the text if `code` says so, else as a pair of backticks.
    pub fn text(&self, code: bool) -> String {
        let piece = |piece: &Piece| match (piece.is_code, code) {
            (false, _) => piece.text.clone(),
            (true, true) => format!("`{}`", piece.text),
            (true, false) => "``".to_owned(),
        };
        self.pieces.iter().map(piece).collect::<String>().trim().to_owned()
    }
}

impl Document {
    /// # Panics
    /// If the file cannot be read.
    pub fn read(path: &Path) -> Document {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        Document::parse(&path.file_name().unwrap().to_string_lossy(), text)
    }

    pub fn parse(name: &str, text: impl Into<String>) -> Document {
        let text = text.into();
        let mut reader = Reader::new(&text);
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(&text, options).into_offset_iter() {
            reader.take(event, range);
        }
        let blocks = reader.finish();
        let chapters = chapters(&blocks);
        Document { name: name.to_owned(), text, blocks, chapters }
    }

    /// The code blocks, in order.
    pub fn codes(&self) -> impl Iterator<Item = (&Block, &Code)> {
        self.blocks.iter().filter_map(|block| match &block.content {
            Content::Code(code) => Some((block, code)),
            _ => None,
        })
    }

    pub fn headings(&self) -> impl Iterator<Item = (&Block, &Heading)> {
        self.blocks.iter().filter_map(|block| match &block.content {
            Content::Heading(heading) => Some((block, heading)),
            _ => None,
        })
    }

    pub fn proses(&self) -> impl Iterator<Item = (&Block, &Prose)> + Clone {
        self.blocks.iter().filter_map(|block| match &block.content {
            Content::Prose(prose) => Some((block, prose)),
            _ => None,
        })
    }

    /// Everything that the text points to, images too.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        let proses = self.proses().map(|(_, prose)| prose);
        let links = proses.clone().flat_map(|prose| &prose.links);
        let images = proses.flat_map(|prose| &prose.images).map(|image| &image.link);
        links.chain(images).chain(self.headings().flat_map(|(_, heading)| &heading.links))
    }
}

fn chapters(blocks: &[Block]) -> Vec<Chapter> {
    let mut chapters = vec![Chapter { title: String::new(), number: None, blocks: 0..0 }];
    for (at, block) in blocks.iter().enumerate() {
        if let Content::Heading(Heading { level: 2, text, .. }) = &block.content {
            let number = text.split_once('.').and_then(|(number, _)| number.parse().ok());
            chapters.push(Chapter { title: text.clone(), number, blocks: at..at });
        }
        if let Some(chapter) = chapters.last_mut() {
            chapter.blocks.end = at + 1;
        }
    }
    chapters
}
