use super::{Block, Code, Content, Heading, Kind, Link, Piece, Prose};
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use std::collections::HashMap;
use std::mem;
use std::ops::Range;

/// Makes blocks of the parser's events.
pub(super) struct Reader {
    line_starts: Vec<usize>,
    blocks: Vec<Block>,
    chapter: usize,
    heading: String,
    slugs: HashMap<String, usize>,
    /// What kind of prose comes next in the containers that are open.
    kinds: Vec<Kind>,
    open: Open,
    /// Comments within a prose; they follow it.
    comments: Vec<(usize, String)>,
}

/// What the inline events belong to.
enum Open {
    Nothing,
    Prose(usize, Prose),
    Heading(usize, usize, String),
    Code(usize, Code),
    Html(usize, String),
}

impl Reader {
    pub(super) fn new(text: &str) -> Reader {
        let line_starts = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Reader {
            line_starts: line_starts.collect(),
            blocks: Vec::new(),
            chapter: 0,
            heading: String::new(),
            slugs: HashMap::new(),
            kinds: Vec::new(),
            open: Open::Nothing,
            comments: Vec::new(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    pub(super) fn finish(mut self) -> Vec<Block> {
        self.close();
        self.blocks
    }

    pub(super) fn take(&mut self, event: Event, range: Range<usize>) {
        let line = self.line(range.start);
        match event {
            Event::Start(tag) => self.start(tag, line),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.add(line, &text, false),
            Event::Code(text) => self.add(line, &text, true),
            Event::SoftBreak | Event::HardBreak => self.add(line, " ", false),
            Event::Html(html) => match &mut self.open {
                Open::Html(_, text) => *text += &html,
                _ => self.open = Open::Html(line, html.to_string()),
            },
            Event::InlineHtml(html) => match comment(&html) {
                Some(comment) => self.comments.push((line, comment.to_owned())),
                None => self.add(line, " ", false),
            },
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag, line: usize) {
        match tag {
            Tag::Heading { level, .. } => {
                self.close();
                self.open = Open::Heading(line, level as usize, String::new());
            }
            Tag::CodeBlock(kind) => {
                self.close();
                let info = match &kind {
                    CodeBlockKind::Fenced(info) => info,
                    CodeBlockKind::Indented => "",
                };
                let (language, attributes) = attributes(info);
                self.open = Open::Code(line, Code { language, attributes, text: String::new() });
            }
            Tag::Paragraph | Tag::BlockQuote(_) | Tag::List(_) | Tag::HtmlBlock => self.close(),
            Tag::Item => {
                self.close();
                self.kinds.push(Kind::Item);
            }
            Tag::Table(_) => {
                self.close();
                self.kinds.push(Kind::Table);
            }
            Tag::Link { dest_url, .. } => {
                self.prose(line).links.push(Link { line, target: dest_url.to_string() });
            }
            Tag::Image { dest_url, .. } => {
                self.prose(line).images.push(Link { line, target: dest_url.to_string() });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::HtmlBlock => {
                self.close();
            }
            TagEnd::Item | TagEnd::Table => {
                self.close();
                self.kinds.pop();
            }
            TagEnd::TableCell => self.add_to_table(" | "),
            TagEnd::TableRow | TagEnd::TableHead => self.add_to_table("\n"),
            _ => {}
        }
    }

    /// The prose that is open; opens one if there is none.
    fn prose(&mut self, line: usize) -> &mut Prose {
        if !matches!(self.open, Open::Prose(..)) {
            self.close();
            let kind = self.kinds.last().copied().unwrap_or(Kind::Paragraph);
            let prose = Prose { kind, pieces: Vec::new(), links: Vec::new(), images: Vec::new() };
            self.open = Open::Prose(line, prose);
        }
        match &mut self.open {
            Open::Prose(_, prose) => prose,
            _ => unreachable!("it was opened above"),
        }
    }

    fn add(&mut self, line: usize, text: &str, is_code: bool) {
        match &mut self.open {
            Open::Heading(_, _, heading) => *heading += text,
            Open::Code(_, code) => code.text += text,
            _ => {
                let piece = Piece { line, text: text.to_owned(), is_code };
                self.prose(line).pieces.push(piece);
            }
        }
    }

    fn add_to_table(&mut self, text: &str) {
        if let Open::Prose(_, prose) = &mut self.open {
            let line = prose.pieces.last().map_or(0, |piece| piece.line);
            prose.pieces.push(Piece { line, text: text.to_owned(), is_code: false });
        }
    }

    /// Makes a block of what is open.
    fn close(&mut self) {
        match mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Prose(line, prose) => {
                if let Some(kind) = self.kinds.last_mut() {
                    *kind = Kind::Paragraph;
                }
                self.push(line, Content::Prose(prose));
            }
            Open::Code(line, code) => self.push(line, Content::Code(code)),
            Open::Heading(line, level, text) => {
                self.chapter += usize::from(level == 2);
                self.heading.clone_from(&text);
                let slug = self.slug(&text);
                self.push(line, Content::Heading(Heading { level, text, slug }));
            }
            Open::Html(line, html) => self.html(line, &html),
        }
        for (line, comment) in mem::take(&mut self.comments) {
            self.push(line, Content::Comment(comment));
        }
    }

    fn push(&mut self, line: usize, content: Content) {
        let heading = self.heading.clone();
        self.blocks.push(Block { line, chapter: self.chapter, heading, content });
    }

    /// The comments and the text of an HTML block.
    fn html(&mut self, first: usize, html: &str) {
        let mut pieces = Vec::new();
        let mut line = first;
        let mut rest = html;
        while !rest.is_empty() {
            let end = if rest.starts_with("<!--") {
                rest.find("-->").map_or(rest.len(), |at| at + 3)
            } else if rest.starts_with('<') {
                rest.find('>').map_or(rest.len(), |at| at + 1)
            } else {
                rest.find(['<', '\n']).unwrap_or(rest.len()).max(1)
            };
            let (part, after) = rest.split_at(end);
            if let Some(comment) = comment(part) {
                self.push(line, Content::Comment(comment.to_owned()));
            } else if !part.starts_with('<') && !part.trim().is_empty() {
                pieces.push(Piece { line, text: format!("{part} "), is_code: false });
            }
            line += part.matches('\n').count();
            rest = after;
        }
        if !pieces.is_empty() {
            let prose = Prose { kind: Kind::Html, pieces, links: Vec::new(), images: Vec::new() };
            self.push(first, Content::Prose(prose));
        }
    }

    /// The anchor that GitHub gives a heading.
    fn slug(&mut self, heading: &str) -> String {
        let lower = heading.trim().to_lowercase().replace(' ', "-");
        let slug: String =
            lower.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect();
        let used = self.slugs.entry(slug.clone()).or_default();
        *used += 1;
        if *used == 1 { slug } else { format!("{slug}-{}", *used - 1) }
    }
}

fn comment(html: &str) -> Option<&str> {
    Some(html.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim())
}

/// The language and the attributes of an info string.
fn attributes(info: &str) -> (String, Vec<(String, String)>) {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for next in info.chars() {
        match next {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(mem::take(&mut word)),
            _ => word.push(next),
        }
    }
    words.push(word);
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let language = words.next().unwrap_or_default();
    let attribute = |word: String| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (word, String::new()),
    };
    (language, words.map(attribute).collect())
}
