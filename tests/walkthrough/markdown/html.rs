//! The little HTML that a Markdown text has.

/// What a piece of HTML means to a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Comment(String),
    Link(String),
    Image { target: String, alt: String },
}

/// The parts of some HTML, each with the number of lines before it.
pub(super) fn parts(html: &str) -> Vec<(usize, Part)> {
    let mut parts = Vec::new();
    let mut line = 0;
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
        parts.extend(read(part).into_iter().map(|part| (line, part)));
        line += part.matches('\n').count();
        rest = after;
    }
    parts
}

/// What one tag, comment or text says.
fn read(part: &str) -> Vec<Part> {
    if let Some(comment) = part.strip_prefix("<!--") {
        return vec![Part::Comment(comment.trim_end_matches("-->").trim().to_owned())];
    }
    if !part.starts_with('<') {
        let text = part.trim();
        return if text.is_empty() { Vec::new() } else { vec![Part::Text(text.to_owned())] };
    }
    let alt = attribute(part, "alt").unwrap_or_default();
    let image = |target| Part::Image { target, alt };
    let links = ["href", "srcset"].into_iter().filter_map(|name| attribute(part, name));
    links.map(Part::Link).chain(attribute(part, "src").map(image)).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    Some(after.split_once('"')?.0.to_owned())
}
