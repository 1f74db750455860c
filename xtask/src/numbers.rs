//! Measured numbers in prose.
//!
//! After a paragraph stands a comment that says what its numbers are, in the order in which they
//! come, one a line:
//!
//! ```text
//! <!-- numbers
//! 46.5 µs = costs/thread/spawn-and-join/1/seconds
//! 1.8 (1.7–2.0) = scaling/read/stage-6/4/rate / scaling/read/stage-5/4/rate
//! -->
//! ```
//!
//! The left side is what the paragraph says now. `sync` replaces it, in both places, by the median of
//! the rounds: in the same unit, and with the least and the most of them if it has them now. Whoever
//! writes a new sentence writes `?`, `? ms`, `? %` or `? (?)`.

use crate::problem::Problem;
use crate::records::{Kind, Rounds, pick};
use crate::tree::Tree;
use kvs_bench_kit::Record;
use std::collections::HashMap;
use std::ops::Range;

const BEGIN: &str = "<!-- numbers";
const END: &str = "-->";

/// The units that a text may have, with what each is in base units.
const UNITS: [(&str, f64, Kind); 8] = [
    ("ns", 1e-9, Kind::Seconds),
    ("µs", 1e-6, Kind::Seconds),
    ("ms", 1e-3, Kind::Seconds),
    ("s", 1.0, Kind::Seconds),
    ("bytes", 1.0, Kind::Bytes),
    ("KB", 1e3, Kind::Bytes),
    ("MB", 1e6, Kind::Bytes),
    ("%", 0.01, Kind::Count),
];

/// Brings the numbers of a text up to date.
pub(crate) fn sync(tree: &mut Tree, file: &str) -> Vec<Problem> {
    let text = match tree.read(file) {
        Ok(text) => text,
        Err(problem) => return vec![problem],
    };
    let mut records = HashMap::new();
    let mut pick = |path: &str| {
        let (name, rest) = path.split_once('/').ok_or("a path begins with a record")?;
        if !records.contains_key(name) {
            let read = tree.read(&format!("benches/results/{name}.json"));
            let text = read.map_err(|problem| problem.message)?;
            let record: Record = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            records.insert(name.to_owned(), record);
        }
        pick(&records[name], rest)
    };
    let (text, problems) = rewrite(file, &text, &mut pick);
    tree.write(file, text);
    problems
}

/// The text with the numbers that `pick` finds by their paths.
fn rewrite(
    file: &str,
    text: &str,
    pick: &mut impl FnMut(&str) -> Result<Rounds, String>,
) -> (String, Vec<Problem>) {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut problems = Vec::new();
    let begins: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] == BEGIN).collect();
    for begin in begins {
        let first = lines[..begin].iter().rposition(|line| line.trim().is_empty());
        let first = first.map_or(0, |blank| blank + 1);
        let mut paragraph = lines[first..begin].join("\n");
        let mut from = 0;
        for at in begin + 1.. {
            let Some(line) = lines.get(at).filter(|line| *line != END) else { break };
            match renewed(line, &paragraph[from..], pick) {
                Ok((place, number, directive)) => {
                    let place = from + place.start..from + place.end;
                    from = place.start + number.len();
                    paragraph.replace_range(place, &number);
                    lines[at] = directive;
                }
                Err(message) => problems.push(Problem::new(file, at + 1, message)),
            }
        }
        let paragraph = paragraph.split('\n').map(str::to_owned);
        lines.splice(first..begin, paragraph);
    }
    (lines.join("\n"), problems)
}

/// Where in a text the number of a directive stands, what it is now, and the directive with that.
fn renewed(
    directive: &str,
    text: &str,
    pick: &mut impl FnMut(&str) -> Result<Rounds, String>,
) -> Result<(Range<usize>, String, String), String> {
    let (old, source) = directive.split_once(" = ").ok_or("a line is `NUMBER = PATH`")?;
    let rounds = match source.split_once(" / ") {
        None => pick(source)?,
        Some((above, below)) => pick(above)?.divided_by(&pick(below)?)?,
    };
    let new = rendered(&rounds, old)?;
    let place = find(text, old).ok_or_else(|| {
        format!("`{old}` doesn't stand in the paragraph above, after the number before it")
    })?;
    // A line that breaks within the number breaks there again.
    let break_at =
        text[place.clone()].find('\n').map(|at| text[place.start..][..at].matches(' ').count());
    let blanks = new.match_indices(' ').map(|(at, _)| at).nth(break_at.unwrap_or(usize::MAX));
    let mut number = new.clone();
    if let Some(blank) = blanks {
        number.replace_range(blank..=blank, "\n");
    }
    Ok((place, number, format!("{new} = {source}")))
}

/// Where a number stands by itself, not as a part of another one; a line may break in it.
fn find(text: &str, number: &str) -> Option<Range<usize>> {
    let flat = text.replace('\n', " ");
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
    let found = flat.match_indices(number).find(|(at, _)| {
        let mut before = flat[..*at].chars().rev();
        let mut after = flat[at + number.len()..].chars();
        let last = before.next();
        let goes_on = matches!(last, Some('.' | ',')) && is_part(before.next());
        let next = after.next();
        let continues =
            matches!(next, Some('.' | ',')) && after.next().is_some_and(|c| c.is_ascii_digit());
        !is_part(last) && !goes_on && !is_part(next) && !continues
    });
    found.map(|(at, _)| at..at + number.len())
}

/// Rounds as a text says them, in the form that it had before: its unit, and whether it has a range.
fn rendered(rounds: &Rounds, old: &str) -> Result<String, String> {
    let (number, has_range) =
        old.split_once(" (").map_or((old, false), |(number, _)| (number, true));
    let (_, unit) = number.split_once(' ').unwrap_or((number, ""));
    let (unit, scale) = match UNITS.iter().find(|(name, ..)| *name == unit) {
        Some((unit, scale, kind)) if *kind == rounds.kind => (*unit, *scale),
        Some(_) => return Err(format!("`{unit}` is no unit of {:?}", rounds.kind)),
        None if unit.is_empty() => natural(rounds),
        None => return Err(format!("`{unit}` is no unit")),
    };
    let places = places(rounds.median() / scale);
    let words = |value: f64| digits(value / scale, places);
    let mut text = words(rounds.median());
    if !unit.is_empty() {
        text += &format!(" {unit}");
    }
    if has_range {
        let (least, most) = rounds.range();
        text += &format!(" ({}–{})", words(least), words(most));
    }
    Ok(text)
}

/// The largest unit of which it is at least one.
fn natural(rounds: &Rounds) -> (&'static str, f64) {
    let units =
        UNITS.iter().filter(|(_, _, kind)| rounds.kind != Kind::Count && *kind == rounds.kind);
    let fits = units.clone().rfind(|(_, scale, _)| rounds.median() >= *scale);
    fits.or(units.clone().next()).map_or(("", 1.0), |(unit, scale, _)| (*unit, *scale))
}

/// To how many places after the point a number is said, before it if that is negative: such that it
/// has two digits that say something; above 1 three if the first is a 1, for 1.04 is not 1.0.
fn places(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let magnitude = value.abs().log10().floor();
    // 1.996 is 2.0, and not 2.00.
    let has_three = magnitude >= 0.0 && value.abs() / 10f64.powf(magnitude) < 1.995;
    if has_three { 2 - magnitude as i32 } else { 1 - magnitude as i32 }
}

/// A number to so many places.
fn digits(value: f64, places: i32) -> String {
    let step = 10f64.powi(places);
    let text = format!("{:.*}", places.max(0) as usize, (value * step).round() / step);
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let groups = whole.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups.filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",") + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(kind: Kind, values: &[f64]) -> Rounds {
        Rounds { kind, values: values.to_vec() }
    }

    fn renew(text: &str) -> (String, Vec<Problem>) {
        rewrite("t.md", text, &mut |path| match path {
            "r/time" => Ok(rounds(Kind::Seconds, &[0.0178, 0.0189, 0.021])),
            "r/half" => Ok(rounds(Kind::Seconds, &[0.0089, 0.00946, 0.0105])),
            "r/part" => Ok(rounds(Kind::Count, &[0.83])),
            _ => Err(format!("no `{path}`")),
        })
    }

    const TEXT: &str = "It takes 9 ms.\n\nIt takes 12 ms\n(9–20), which is 7 times 1.12 ms: 7.\n\
        <!-- numbers\n12 ms (9–20) = r/time\n7 = r/time / r/half\n-->\n\n? of all, ? %, ? (?)\n\
        <!-- numbers\n? = r/time\n? % = r/part\n? (?) = r/half\n-->\n";

    #[test]
    fn numbers_are_replaced_where_they_stand_and_keep_their_form() {
        let (new, problems) = renew(TEXT);
        let expected = "It takes 9 ms.\n\nIt takes 18.9 ms\n(17.8–21.0), which is 2.0 times 1.12 ms: 7.\n\
            <!-- numbers\n18.9 ms (17.8–21.0) = r/time\n2.0 = r/time / r/half\n-->\n\n\
            18.9 ms of all, 83 %, 9.5 ms (8.9–10.5)\n\
            <!-- numbers\n18.9 ms = r/time\n83 % = r/part\n9.5 ms (8.9–10.5) = r/half\n-->\n";
        assert_eq!((new.as_str(), problems), (expected, vec![]));
        assert_eq!(renew(expected).0, expected);
    }

    #[test]
    fn a_directive_without_its_number_or_its_path_is_noticed() {
        let message =
            "`12 ms (9–20)` doesn't stand in the paragraph above, after the number before it";
        let (_, problems) = renew(&TEXT.replacen("12 ms\n", "13 ms\n", 1));
        assert_eq!(problems, [Problem::new("t.md", 6, message)]);
        let (_, problems) = renew(&TEXT.replace("= r/part", "= r/parts"));
        assert_eq!(problems, [Problem::new("t.md", 13, "no `r/parts`")]);
        let (_, problems) = renew(&TEXT.replace("12 ms", "12 KB").replace("12 KB\n", "12 KB\n"));
        assert_eq!(problems, [Problem::new("t.md", 6, "`KB` is no unit of Seconds")]);
    }

    #[test]
    fn a_number_is_not_found_within_another() {
        for text in ["112 ns", "1.12 ns", "12 nsx", "a12 ns", "1,12 ns"] {
            assert_eq!(find(text, "12 ns"), None, "{text}");
        }
        assert_eq!(find("7.5", "7"), None);
        assert_eq!(find("112 ns, 12 ns.", "12 ns"), Some(8..13));
    }

    #[test]
    fn two_digits_say_enough_and_three_just_above_one() {
        for (value, words) in [
            (46.46, "46"),
            (12.04, "12.0"),
            (0.1449, "0.14"),
            (8.08, "8.1"),
            (190.4, "190"),
            (0.0, "0"),
            (1.996, "2.0"),
            (9.96, "10.0"),
            (312_345.0, "310,000"),
            (1.04, "1.04"),
        ] {
            assert_eq!(digits(value, places(value)), words);
        }
    }
}
