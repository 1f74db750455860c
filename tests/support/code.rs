//! What of a source file is code.

/// A file without its `//` comments and white space. Knows strings, raw strings and character
/// literals, so that a `//` in one of them is no comment. Of `/* … */` it knows nothing: there are
/// none here.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if next.is_whitespace() {
            next.len_utf8()
        } else {
            let length = token(rest, next);
            code += &rest[..length];
            length
        };
        rest = &rest[skipped..];
    }
    code
}

/// The length of what starts here: a literal as a whole, else one character.
fn token(rest: &str, next: char) -> usize {
    let raw = rest.strip_prefix('r').map(|after| after.trim_start_matches('#'));
    if let Some(hashes) =
        raw.filter(|raw| raw.starts_with('"')).map(|raw| rest.len() - raw.len() - 1)
    {
        let end = format!("\"{}", "#".repeat(hashes));
        let start = 1 + hashes + 1;
        return rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len());
    }
    if let Some(quoted) =
        ["'\"'", "'/'", "'\\\"'", "'\\''"].into_iter().find(|c| rest.starts_with(c))
    {
        return quoted.len();
    }
    if next != '"' {
        return next.len_utf8();
    }
    let mut escaped = false;
    let closing = rest[1..].find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    closing.map_or(rest.len(), |at| at + 2)
}

#[test]
fn comments_are_told_from_strings() {
    let text =
        "let a = \"//\\\" x\"; // y\nlet b = r#\"/\"/ \"#; let c = '\"'; // \"z\nlet d = '/';";
    assert_eq!(code(text), "leta=\"//\\\" x\";letb=r#\"/\"/ \"#;letc='\"';letd='/';");
}
