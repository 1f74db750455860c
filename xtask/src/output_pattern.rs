//! Output as a text shows it: `[..]` stands for anything within a line, a line `...` or `…` for any
//! number of lines. White space counts as one blank.

/// Whether these lines, and no others, are as the patterns say.
pub(crate) fn lines_match(patterns: &[&str], lines: &[&str]) -> bool {
    match (patterns, lines) {
        ([], lines) => lines.is_empty(),
        (["..." | "…", patterns @ ..], lines) => {
            (0..=lines.len()).any(|skipped| lines_match(patterns, &lines[skipped..]))
        }
        ([pattern, patterns @ ..], [line, lines @ ..]) => {
            line_matches(pattern, line) && lines_match(patterns, lines)
        }
        (_, []) => false,
    }
}

/// Whether more lines could make of these what the patterns say.
pub(crate) fn lines_begin(patterns: &[&str], lines: &[&str]) -> bool {
    (0..=patterns.len()).any(|length| lines_match(&patterns[..length], lines))
}

/// Whether a line is as a pattern says.
pub(crate) fn line_matches(pattern: &str, line: &str) -> bool {
    let (pattern, line) = (blanks(pattern), blanks(line));
    let parts: Vec<&str> = pattern.split("[..]").collect();
    let [first, middle @ .., last] = &parts[..] else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether the lines that a text shows are in an output, in their order and with any others between them.
///
/// # Errors
/// Says which isn't.
pub(crate) fn in_order(shown: &str, output: &str) -> Result<(), String> {
    let mut rest = output.lines();
    for line in shown.lines().filter(|line| !["", "...", "…"].contains(&line.trim())) {
        if !rest.any(|said| line_matches(line, said)) {
            return Err(format!("no `{line}` in its place in\n{output}"));
        }
    }
    Ok(())
}

/// With one blank for each white space in the line, and none around it.
fn blanks(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_line_does_not_match() {
        for (pattern, line) in [("a", "ab"), ("a", "ba"), ("[..] b", "a bc"), ("aa[..]aa", "aaa")] {
            assert!(!line_matches(pattern, line), "{pattern} and {line}");
        }
    }

    #[test]
    fn dots_stand_for_any_number_of_lines() {
        assert!(lines_match(&["a", "...", "d"], &["a", "b", "c", "d"]));
        assert!(lines_match(&["a", "..."], &["a"]));
        assert!(!lines_match(&["a", "..."], &["b"]));
        assert!(!lines_match(&["a"], &["a", "b"]));
        assert!(lines_begin(&["a", "b"], &["a"]) && lines_begin(&["...", "b"], &["c", "d"]));
        assert!(!lines_begin(&["a", "b"], &["b"]) && !lines_begin(&["a"], &["a", "b"]));
    }
}
