//! Output as a text shows it: `[..]` stands for any text within a line, a line `...` or `…` for any
//! number of lines. White space counts as one blank.

/// Whether a line is as a pattern says.
pub fn line_matches(pattern: &str, line: &str) -> bool {
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

/// Whether these lines, and no others, are as the patterns say.
pub fn lines_match(patterns: &[&str], lines: &[&str]) -> bool {
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

/// How many lines at the beginning are as the patterns say; none if they are not, or not yet.
pub fn beginning(patterns: &[&str], lines: &[&str]) -> Option<usize> {
    (0..=lines.len()).find(|length| lines_match(patterns, &lines[..*length]))
}

/// With one blank for each white space in the line, and none around it.
pub fn blanks(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub mod tests {
    use super::*;

    pub fn a_line_matches_its_pattern() {
        for (pattern, line) in [
            ("a", " a "),
            ("a  b", "a b"),
            ("[..] b", "2026 INFO b"),
            ("a [..] c [..] d", "a b c c d"),
            ("[..]", ""),
        ] {
            assert!(line_matches(pattern, line), "{pattern} and {line}");
        }
    }

    pub fn a_planted_other_line_does_not_match() {
        for (pattern, line) in [("a", "ab"), ("a", "ba"), ("[..] b", "a bc"), ("aa[..]aa", "aaa")] {
            assert!(!line_matches(pattern, line), "{pattern} and {line}");
        }
    }

    pub fn dots_stand_for_any_number_of_lines() {
        assert!(lines_match(&["a", "...", "d"], &["a", "b", "c", "d"]));
        assert!(lines_match(&["a", "..."], &["a"]));
        assert!(!lines_match(&["a", "..."], &["b"]));
        assert!(!lines_match(&["a"], &["a", "b"]));
        assert_eq!(beginning(&["a", "...", "c"], &["a", "b", "c", "d"]), Some(3));
        assert_eq!(beginning(&["a", "b"], &["a"]), None);
    }
}
