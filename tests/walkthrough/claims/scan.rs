//! Finds the numbers in a sentence that claim something: those with a unit, a factor or a per cent.

use super::quantity::{COUNT, Dimension, Number, RATE, SIZE, TIME, Unit};

/// A number, or several that share a unit ("2 to 3 ms"), as they stand in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Where it begins in the text that was searched.
    pub at: usize,
    pub text: String,
    pub numbers: Vec<Number>,
    pub unit: Unit,
}

/// All units, by their names.
const UNITS: &[(&str, f64, Dimension)] = &[
    ("ns", 1e-9, TIME),
    ("µs", 1e-6, TIME), // the sign for micro
    ("μs", 1e-6, TIME), // the Greek letter
    ("us", 1e-6, TIME),
    ("ms", 1e-3, TIME),
    ("s", 1.0, TIME),
    ("sec", 1.0, TIME),
    ("min", 60.0, TIME),
    ("nanosecond", 1e-9, TIME),
    ("nanoseconds", 1e-9, TIME),
    ("microsecond", 1e-6, TIME),
    ("microseconds", 1e-6, TIME),
    ("millisecond", 1e-3, TIME),
    ("milliseconds", 1e-3, TIME),
    ("second", 1.0, TIME),
    ("seconds", 1.0, TIME),
    ("minute", 60.0, TIME),
    ("minutes", 60.0, TIME),
    ("hour", 3600.0, TIME),
    ("hours", 3600.0, TIME),
    ("days", 86_400.0, TIME),
    ("B", 1.0, SIZE),
    ("byte", 1.0, SIZE),
    ("bytes", 1.0, SIZE),
    ("KB", 1e3, SIZE),
    ("kB", 1e3, SIZE),
    ("MB", 1e6, SIZE),
    ("GB", 1e9, SIZE),
    ("TB", 1e12, SIZE),
    ("KiB", 1024.0, SIZE),
    ("MiB", 1024.0 * 1024.0, SIZE),
    ("GiB", 1024.0 * 1024.0 * 1024.0, SIZE),
    ("times", 1.0, COUNT),
    ("fold", 1.0, COUNT),
    ("×", 1.0, COUNT),
    ("x", 1.0, COUNT),
    ("X", 1.0, COUNT),
    ("%", 0.01, COUNT),
    ("percent", 0.01, COUNT),
    ("percentage points", 0.01, COUNT),
    ("per cent", 0.01, COUNT),
];

const PER_SECOND: [&str; 4] = ["/s", " a second", " per second", " each second"];
const MULTIPLES: [(&str, f64); 5] =
    [("k", 1e3), ("M", 1e6), (" thousand", 1e3), (" million", 1e6), (" billion", 1e9)];
/// What may stand between numbers that share a unit.
const BETWEEN: [&str; 8] = [" to about ", " to ", "–", "-", " and ", " or ", ", ", " / "];
/// After these a number without a unit is a factor.
const FACTORS: [&str; 5] = ["factor of ", "factor of about ", "ratio of ", "× ", "×"];
/// What may not stand between a number and "a second": those words begin something else.
const STOPS: [&str; 10] = ["for", "in", "and", "or", "after", "within", "than", "to", "of", "is"];

/// The claims of a text, in order. Blanks have to be plain ones.
pub fn claims(text: &str) -> Vec<Claim> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if !next.is_ascii_digit() || !begins_number(text, at) {
            at += next.len_utf8();
            // The rest of a word that has digits in it, or of a version, is no number.
            continue;
        }
        match claim(text, at) {
            Some(claim) => {
                at += claim.text.len();
                found.push(claim);
            }
            None => at += number(&text[at..]).map_or(1, |(_, length)| length),
        }
    }
    found
}

/// Whether a number can begin here, and not only the rest of a word or of a number.
pub fn begins_number(text: &str, at: usize) -> bool {
    let mut before = text[..at].chars().rev();
    match before.next() {
        Some('.' | ',') => !before.next().is_some_and(|c| c.is_ascii_digit()),
        Some(before) => !before.is_alphanumeric() && before != '_',
        None => true,
    }
}

fn claim(text: &str, at: usize) -> Option<Claim> {
    let (first, mut end) = number(&text[at..])?;
    let mut numbers = vec![first];
    end += at;
    while let Some((more, length)) = BETWEEN
        .iter()
        .filter_map(|between| Some((text[end..].strip_prefix(between)?, between.len())))
        .find_map(|(rest, skipped)| number(rest).map(|(number, n)| (number, skipped + n)))
    {
        numbers.push(more);
        end += length;
    }
    let is_factor = FACTORS.iter().any(|words| text[..at].ends_with(words));
    let (unit, length) = unit(&text[end..]).or(is_factor.then_some((Unit::ONE, 0)))?;
    end += length;
    Some(Claim { at, text: text[at..end].to_owned(), numbers, unit })
}

/// The number that a text begins with, and its length.
pub fn number(text: &str) -> Option<(Number, usize)> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while is_digit(end)
        || bytes.get(end) == Some(&b',') && (1..=3).all(|n| is_digit(end + n)) && !is_digit(end + 4)
    {
        end += 1;
    }
    if end == 0 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
        end += 1;
        while is_digit(end) {
            end += 1;
        }
    }
    let digits = text[..end].replace(',', "");
    let value = digits.parse().ok()?;
    Some((Number { digits, value }, end))
}

/// The unit that follows a number, and the length of all that belongs to it.
pub fn unit(text: &str) -> Option<(Unit, usize)> {
    rate(text).or_else(|| plain_unit(text))
}

fn plain_unit(text: &str) -> Option<(Unit, usize)> {
    let name = text.strip_prefix([' ', '-', '\u{a0}', '\u{202f}']).unwrap_or(text);
    let skipped = text.len() - name.len();
    let whole = |unit: &&(&str, f64, Dimension)| {
        let rest = name.strip_prefix(unit.0);
        let is_sign = !unit.0.ends_with(|c: char| c.is_alphanumeric());
        rest.is_some_and(|rest| is_sign || !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    let &(unit, scale, mut dimension) = UNITS.iter().find(whole)?;
    let mut length = skipped + unit.len();
    if let Some(per) = PER_SECOND.iter().find(|per| text[length..].starts_with(**per))
        && dimension == SIZE
    {
        dimension.seconds = -1;
        length += per.len();
    }
    Some((Unit { scale, dimension }, length))
}

/// "a second", after a multiple and up to two words: "120 thousand small reads a second".
fn rate(text: &str) -> Option<(Unit, usize)> {
    let multiple = MULTIPLES.iter().find(|(name, _)| {
        text.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            || text.strip_prefix(&format!(" {name}")).is_some_and(|rest| rest.starts_with("/s"))
    });
    let (mut length, scale) = match multiple {
        Some((name, scale)) => (text.find(name.trim_start())? + name.trim_start().len(), *scale),
        None => (0, 1.0),
    };
    for _ in 0..3 {
        if let Some(per) = PER_SECOND.iter().find(|per| text[length..].starts_with(**per)) {
            return Some((Unit { scale, dimension: RATE }, length + per.len()));
        }
        let rest = text[length..].strip_prefix(' ')?;
        let word = &rest[..rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len())];
        if word.is_empty() || STOPS.contains(&word) || UNITS.iter().any(|unit| unit.0 == word) {
            return None;
        }
        length += 1 + word.len();
    }
    None
}

pub mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        claims(text).into_iter().map(|claim| claim.text).collect()
    }

    pub fn numbers_with_a_unit_a_factor_or_a_per_cent_are_claims() {
        let text = "It is 3.2 times as fast: 12 µs, not 40 µs; 40 % or 1.8× more. 100 MB, 2ms; \
                    a 16-byte key (5 s), 3 min. 30 seconds, 7 per cent, 2x, a factor of 3.";
        let expected = [
            "3.2 times",
            "12 µs",
            "40 µs",
            "40 %",
            "1.8×",
            "100 MB",
            "2ms",
            "16-byte",
            "5 s",
            "3 min",
            "30 seconds",
            "7 per cent",
            "2x",
            "3",
        ];
        assert_eq!(texts(text), expected);
    }

    pub fn other_spellings_are_claims_as_well() {
        let text = "3x 3X 3 ×; ×4; × 5; 30% 5ms 1.5-fold 2 sec, 3 percentage points, 1 TB, a factor \
                    of about 7; 16-fold, 20 days";
        let expected = [
            "3x",
            "3X",
            "3 ×",
            "4",
            "5",
            "30%",
            "5ms",
            "1.5-fold",
            "2 sec",
            "3 percentage points",
            "1 TB",
            "7",
            "16-fold",
            "20 days",
        ];
        assert_eq!(texts(text), expected);
    }

    pub fn rates_are_claims_with_the_noun_between() {
        let text = "120,000 a second, 1.2 million reads a second, 120 k/s, 5/s, 300 MB/s, \
                    2 threads wait for a second";
        let expected =
            ["120,000 a second", "1.2 million reads a second", "120 k/s", "5/s", "300 MB/s"];
        assert_eq!(texts(text), expected);
        let units: Vec<_> = claims(text).iter().map(|claim| claim.unit.scale).collect();
        assert_eq!(units, [1.0, 1e6, 1e3, 1.0, 1e6]);
    }

    pub fn numbers_that_share_a_unit_are_one_claim() {
        assert_eq!(
            texts("takes 2 to 3 ms, or 1, 2 and 4 times that; 2–3 %, 5 to about 10 s"),
            ["2 to 3 ms", "1, 2 and 4 times", "2–3 %", "5 to about 10 s"]
        );
        assert_eq!(claims("2 to 3 ms")[0].numbers.len(), 2);
        assert_eq!(texts("5 ms, 3 clients"), ["5 ms"]);
    }

    pub fn counts_versions_names_and_ordinals_are_no_claims() {
        let text = "1000 clients, 4 threads, stage 4, version 0.34.7, p99 ms, issue 1023, x86_64 s, \
                    the 99th, in 2026, 2 cores, 1.95 and 3 more.";
        assert_eq!(texts(text), Vec::<String>::new());
    }
}
