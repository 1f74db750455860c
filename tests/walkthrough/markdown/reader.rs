use super::html::{self, Part};
use super::{Block, Code, Content, Heading, Image, Kind, Link, Piece, Prose};
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
    /// The image whose alternative text is being read.
    image: Option<Image>,
}

/// What the inline events belong to.
enum Open {
    Nothing,
    Prose(usize, Prose),
    Heading(usize, Heading),
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
            image: None,
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
            Event::InlineHtml(html) => {
                for (_, part) in html::parts(&html) {
                    match part {
                        Part::Comment(comment) => self.comments.push((line, comment)),
                        part => self.prose(line).add_html(line, part),
                    }
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag, line: usize) {
        match tag {
            Tag::Heading { level, .. } => {
                self.close();
                let (text, slug, links) = (String::new(), String::new(), Vec::new());
                self.open =
                    Open::Heading(line, Heading { level: level as usize, text, slug, links });
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
                let link = Link { line, target: dest_url.to_string() };
                match &mut self.open {
                    Open::Heading(_, heading) => heading.links.push(link),
                    _ => self.prose(line).links.push(link),
                }
            }
            Tag::Image { dest_url, .. } => {
                let link = Link { line, target: dest_url.to_string() };
                self.image = Some(Image { link, alt: String::new() });
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
            TagEnd::Image => {
                if let Some(image) = self.image.take() {
                    self.prose(image.link.line).images.push(image);
                }
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
            self.open = Open::Prose(line, Prose::new(kind));
        }
        match &mut self.open {
            Open::Prose(_, prose) => prose,
            _ => unreachable!("it was opened above"),
        }
    }

    fn add(&mut self, line: usize, text: &str, is_code: bool) {
        if let Some(image) = &mut self.image {
            image.alt += text;
            return;
        }
        match &mut self.open {
            Open::Heading(_, heading) if is_code => heading.text += &format!("`{text}`"),
            Open::Heading(_, heading) => heading.text += text,
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
            Open::Heading(line, mut heading) => {
                self.chapter += usize::from(heading.level == 2);
                self.heading.clone_from(&heading.text);
                heading.slug = self.slug(&heading.text);
                self.push(line, Content::Heading(heading));
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
        let mut prose = Prose::new(Kind::Html);
        for (line, part) in html::parts(html) {
            match part {
                Part::Comment(comment) => self.push(first + line, Content::Comment(comment)),
                part => prose.add_html(first + line, part),
            }
        }
        if !(prose.pieces.is_empty() && prose.links.is_empty() && prose.images.is_empty()) {
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

impl Prose {
    fn new(kind: Kind) -> Prose {
        Prose { kind, pieces: Vec::new(), links: Vec::new(), images: Vec::new() }
    }

    fn add_html(&mut self, line: usize, part: Part) {
        match part {
            Part::Text(text) => {
                self.pieces.push(Piece { line, text: format!("{text} "), is_code: false });
            }
            Part::Link(target) => self.links.push(Link { line, target }),
            Part::Image { target, alt } => {
                self.images.push(Image { link: Link { line, target }, alt });
            }
            Part::Comment(_) => {}
        }
    }
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
