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
//!
//! A sentence of chapters 0 to 7 that states such a number as a bound ("more than") is named.

use crate::text::prose;
use crate::tree::{Problem, Tree};
use kvs_bench_kit::record::{Measured, Rounds, Unit, compared};
use kvs_bench_kit::tables::thousands;
use kvs_bench_kit::{Record, derived};
use std::collections::HashMap;
use std::ops::Range;

const BEGIN: &str = "<!-- numbers";
const END: &str = "-->";

/// The units that a text may have, with what each is in base units.
const UNITS: [(&str, f64, Unit); 8] = [
    ("ns", 1e-9, Unit::Second),
    ("µs", 1e-6, Unit::Second),
    ("ms", 1e-3, Unit::Second),
    ("s", 1.0, Unit::Second),
    ("bytes", 1.0, Unit::Byte),
    ("KB", 1e3, Unit::Byte),
    ("MB", 1e6, Unit::Byte),
    ("%", 0.01, Unit::One),
];

/// Words that make a bound of a number.
const BOUNDS: [&str; 5] = ["more than", "less than", "fewer than", "at least", "at most"];

/// Brings the numbers of a text up to date.
pub(crate) fn sync(tree: &mut Tree, file: &str) -> Vec<Problem> {
    tree.rewrite(file, |tree, text| {
        let read =
            |name: &str| Record::read(&derived::path(tree.root(), name)).map_err(|e| e.to_string());
        let mut records = HashMap::new();
        let mut pick = |path: &str| {
            let (name, rest) = path.split_once('/').ok_or("a path begins with a record")?;
            let record = records.entry(name.to_owned()).or_insert_with(|| read(name));
            record.as_ref().map_err(Clone::clone)?.measured(rest)
        };
        rewrite(file, text, &mut pick)
    })
}

/// The sentences of chapters 0 to 7 that state a measured number as a bound, where its range would say more.
/// Measured is what a directive names, and what has a unit.
pub(crate) fn bounds(file: &str, text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let lines: Vec<_> = prose(text)
        .skip_while(|(.., line)| !line.starts_with("## 0."))
        .take_while(|(.., line)| !line.starts_with("## 8."))
        .collect();
    for lines in lines.split(|(.., line)| line.is_empty() || line.starts_with('|')) {
        let Some(&(at, ..)) = lines.first() else { continue };
        let mut lines = lines.iter().map(|(.., line)| *line);
        let paragraph: Vec<&str> = lines.by_ref().take_while(|line| *line != BEGIN).collect();
        let marked: Vec<&str> = lines.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        let is_bound = |sentence: &&str| {
            let words: Vec<&str> = sentence.split(' ').collect();
            let has_unit = |pair: &[&str]| {
                let unit = pair[1].trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '%');
                let is_unit = unit == "times" || UNITS.iter().any(|(name, ..)| *name == unit);
                is_unit && pair[0].contains(|c: char| c.is_ascii_digit())
            };
            BOUNDS.iter().any(|bound| sentence.to_lowercase().contains(bound))
                && (words.windows(2).any(has_unit)
                    || marked.iter().any(|number| find(sentence, number).is_some()))
        };
        let problem =
            |said| Problem::new(file, at, format!("a measured number as a bound: {said}"));
        let sentences = paragraph.join(" ").replace(". ", ".\n").replace(": ", ":\n");
        found.extend(sentences.lines().filter(is_bound).map(problem));
    }
    found
}

/// The text with the numbers that `pick` finds by their paths.
fn rewrite(
    file: &str,
    text: &str,
    pick: &mut impl FnMut(&str) -> Result<Measured, String>,
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
    pick: &mut impl FnMut(&str) -> Result<Measured, String>,
) -> Result<(Range<usize>, String, String), String> {
    let (old, source) = directive.split_once(" = ").ok_or("a line is `NUMBER = PATH`")?;
    let new = rendered(compared(source, pick)?, old)?;
    let place = find(text, old).ok_or_else(|| {
        format!("`{old}` doesn't stand in the paragraph above, after the number before it")
    })?;
    // A line that breaks within the number does so again.
    let number = match new.rsplit_once(' ').filter(|_| text[place.clone()].contains('\n')) {
        Some((start, end)) => format!("{start}\n{end}"),
        None => new.clone(),
    };
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

/// A figure as a text says it, in the form that it had before: its unit, and whether it has a range.
fn rendered((rounds, unit): Measured, old: &str) -> Result<String, String> {
    let rounds = Rounds::new(rounds.into_iter()).ok_or("there are no rounds")?;
    let (number, has_range) =
        old.split_once(" (").map_or((old, false), |(number, _)| (number, true));
    let (_, name) = number.split_once(' ').unwrap_or((number, ""));
    let (name, scale) = match UNITS.iter().find(|(known, ..)| *known == name) {
        Some((name, scale, of)) if *of == unit => (*name, *scale),
        None if name.is_empty() => natural(rounds.median(), unit),
        _ => return Err(format!("`{name}` is no unit of it")),
    };
    let places = places(rounds.median() / scale);
    let digits = |value: f64| digits(value / scale, places);
    let mut text = digits(rounds.median());
    if !name.is_empty() {
        text += &format!(" {name}");
    }
    if has_range {
        text += &format!(" ({}–{})", digits(rounds.least()), digits(rounds.most()));
    }
    Ok(text)
}

/// The largest unit of which it is at least one. Rates and plain numbers have none.
fn natural(value: f64, unit: Unit) -> (&'static str, f64) {
    let units = UNITS.iter().filter(|(_, _, of)| unit != Unit::One && *of == unit);
    let fits = units.clone().rfind(|(_, scale, _)| value >= *scale);
    fits.or(units.clone().next()).map_or(("", 1.0), |(name, scale, _)| (*name, *scale))
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
    let rounded = (value * step).round() / step;
    match usize::try_from(places) {
        Ok(places @ 1..) => format!("{rounded:.places$}"),
        _ => thousands(rounded as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::said;

    fn record() -> Record {
        let text = r#"{
            "conditions": { "cpu": "", "cores": 2, "memory_gib": 1, "kernel": "", "file_system": "",
                "revision": "" },
            "date": "", "units": { "time": "s", "half": "s" },
            "samples": [
                { "of": "a/b", "time": 0.021, "half": 0.0105, "part": 0.83 },
                { "of": "a/b", "time": 0.0178, "half": 0.0089 },
                { "of": "a/b", "time": 0.0189, "half": 0.00946 }
            ]
        }"#;
        serde_json::from_str(text).unwrap()
    }

    fn renew(text: &str) -> (String, Vec<Problem>) {
        rewrite("t.md", text, &mut |path| record().measured(path))
    }

    const TEXT: &str = "It takes 9 ms.\n\nIt takes 12 ms\n(9–20), which is 7 times 1.12 ms: 7.\n\
        <!-- numbers\n12 ms (9–20) = a/b/time\n7 = a/b/time / a/b/half\n-->\n\n? of all, ? %, ? (?)\n\
        <!-- numbers\n? = a/b/time\n? % = a/b/part\n? (?) = a/b/half\n-->\n";

    #[test]
    fn numbers_are_replaced_where_they_stand_and_keep_their_form() {
        let (new, problems) = renew(TEXT);
        let expected = "It takes 9 ms.\n\nIt takes 18.9 ms\n(17.8–21.0), which is 2.0 times 1.12 ms: 7.\n\
            <!-- numbers\n18.9 ms (17.8–21.0) = a/b/time\n2.0 = a/b/time / a/b/half\n-->\n\n\
            18.9 ms of all, 83 %, 9.5 ms (8.9–10.5)\n\
            <!-- numbers\n18.9 ms = a/b/time\n83 % = a/b/part\n9.5 ms (8.9–10.5) = a/b/half\n-->\n";
        assert_eq!((new.as_str(), problems), (expected, vec![]));
        assert_eq!(renew(expected).0, expected);
    }

    #[test]
    fn a_directive_without_its_number_or_its_path_is_noticed() {
        let missing =
            "`12 ms (9–20)` doesn't stand in the paragraph above, after the number before it";
        for (from, to, line, message) in [
            ("12 ms\n", "13 ms\n", 6, missing),
            ("= a/b/part", "= a/b/parts", 13, "nothing has the figure `parts` of `a/b`"),
            ("\n12 ms", "\n12 KB", 6, "`KB` is no unit of it"),
            (
                "a/b/half\n-->\n\n",
                "a/b/part\n-->\n\n",
                7,
                "they have different units or numbers of rounds",
            ),
        ] {
            let (_, problems) = renew(&TEXT.replacen(from, to, 1));
            assert_eq!(problems, [Problem::new("t.md", line, message)]);
        }
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
    fn a_measured_number_that_is_a_bound_is_noticed_and_where() {
        let text = "## 0. A\n\nIt has at least 3 keys. In all\nless than 7. It does:\nmore than 2 ms.\n\
            <!-- numbers\n7 = a\n-->\n\n## 8. B\n\nMore\nthan 3.5 (3–4) times, at most.\n";
        let is = |line, said| format!("t.md:{line}: a measured number as a bound: {said}");
        assert_eq!(
            said(bounds("t.md", text)),
            [is(3, "In all less than 7."), is(3, "more than 2 ms.")]
        );
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
