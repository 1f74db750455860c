//! `<!-- bound: 3.2 times = a/path : another/path; 100 ms = setting final/src/x.rs "100" -->`

use super::expression::{evaluate, has_path};
use super::quantity::{Number, Quantity, Unit};
use super::records::Records;
use super::scan::{begins_number, claims, number};
use std::fs;
use std::path::{Path, PathBuf};

/// One `number = what it is bound to`.
pub struct Binding {
    /// The number with its unit, as it stands in the text.
    pub key: String,
    sign: Sign,
    pub bound_to: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// `=`: the number is the value, rounded.
    Is,
    /// `<`: the number is less than the value: the text says "more than" it.
    Below,
    /// `>`: the number is more than the value: the text says "less than" it.
    Above,
}

/// What has to stand before a number that is only a bound.
const MORE: [&str; 5] = ["more than", "over", "above", "at least", "beyond"];
const LESS: [&str; 6] = ["less than", "fewer than", "under", "below", "at most", "within"];

/// The bindings in a comment; `None` if it is another kind of comment.
///
/// # Errors
/// In words.
pub fn parse(comment: &str) -> Option<Result<Vec<Binding>, String>> {
    let list = comment.strip_prefix("bound:")?;
    Some(split(list).map(|part| one(&part)).collect())
}

fn one(part: &str) -> Result<Binding, String> {
    let signs = [(" = ", Sign::Is), (" < ", Sign::Below), (" > ", Sign::Above)];
    let first = signs
        .into_iter()
        .filter_map(|(sign, kind)| Some((part.find(sign)?, kind)))
        .min_by_key(|(at, _)| *at);
    let (at, sign) = first.ok_or_else(|| format!("`{part}` has no ` = `, ` < ` or ` > `"))?;
    let (key, bound_to) = (part[..at].to_owned(), part[at + 3..].trim().to_owned());
    Ok(Binding { key, sign, bound_to })
}

/// Splits at each `;` outside of quotes; makes one blank of any white space.
fn split(list: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for next in list.chars() {
        quoted ^= next == '"';
        match parts.last_mut() {
            Some(part) if next != ';' || quoted => part.push(next),
            _ => parts.push(String::new()),
        }
    }
    let plain = |part: String| part.split_whitespace().collect::<Vec<_>>().join(" ");
    parts.into_iter().map(plain).filter(|part| !part.is_empty())
}

impl Binding {
    /// Where the number stands in the text.
    pub fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        let places = text.match_indices(&self.key).map(|(at, _)| at);
        places.filter(|at| begins_number(text, *at))
    }

    /// Whether the text is true. `text` is all that stands in the paragraph.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, text: &str, records: &Records) -> Result<(), String> {
        let words = |error| format!("{}: {error}", self.key);
        let mut places = self.places(text).peekable();
        if places.peek().is_none() {
            return Err(words("is bound and does not stand in the text before".to_owned()));
        }
        let wanted: &[&str] = match self.sign {
            Sign::Is => &[],
            Sign::Below => &MORE,
            Sign::Above => &LESS,
        };
        if !wanted.is_empty() && !places.all(|at| says(&text[..at], wanted)) {
            return Err(words(format!("one of {wanted:?} has to stand before it")));
        }
        self.check_value(records).map_err(words)
    }

    fn check_value(&self, records: &Records) -> Result<(), String> {
        let (numbers, unit) = self.numbers()?;
        if let Some(setting) = self.bound_to.strip_prefix("setting ") {
            return numbers.iter().try_for_each(|number| check_setting(number, unit, setting));
        }
        if let Some(arithmetic) = self.bound_to.strip_prefix("arithmetic ") {
            return check_arithmetic(&numbers, arithmetic);
        }
        let values = self.values(records)?;
        if values.len() != numbers.len() {
            return Err(format!("{} numbers, bound to {}", numbers.len(), values.len()));
        }
        for (number, value) in numbers.iter().zip(values) {
            let alike = value.dimension == unit.dimension;
            if !alike {
                return Err(format!("it is {}, of another unit", value.words()));
            }
            let measured = unit.of(value);
            match self.sign {
                Sign::Is => number.is_rounded(measured)?,
                Sign::Below if number.value < measured => {}
                Sign::Above if number.value > measured => {}
                _ => return Err(format!("it is {}", value.words())),
            }
        }
        Ok(())
    }

    /// The values that it is bound to in the records; none for settings and arithmetic.
    ///
    /// # Errors
    /// In words.
    pub fn values(&self, records: &Records) -> Result<Vec<Quantity>, String> {
        if ["setting ", "arithmetic "].iter().any(|kind| self.bound_to.starts_with(kind)) {
            return Ok(Vec::new());
        }
        let of = |expression: &str| {
            if !has_path(expression) {
                return Err("bound to no value; say `arithmetic` if that is meant".to_owned());
            }
            evaluate(expression, records)
        };
        self.bound_to.split(" and ").map(of).collect()
    }

    /// What the key says; a number without a unit is a count.
    fn numbers(&self) -> Result<(Vec<Number>, Unit), String> {
        let mut claims = claims(&self.key);
        match (claims.pop(), number(&self.key)) {
            (Some(_), _) if !claims.is_empty() => Err("each number is bound by itself".to_owned()),
            (Some(claim), _) => Ok((claim.numbers, claim.unit)),
            (None, Some((number, _))) => Ok((vec![number], Unit::ONE)),
            (None, None) => Err("it is no number".to_owned()),
        }
    }
}

/// Whether a text ends with one of these, and does not deny it: "no more than" is not more.
fn says(text: &str, wanted: &[&str]) -> bool {
    let text = text.trim_end().to_lowercase();
    wanted.iter().filter_map(|words| text.strip_suffix(words)).any(|before| {
        let last = before.split_whitespace().next_back().unwrap_or_default();
        !before.ends_with(char::is_alphanumeric) && !["no", "not", "never"].contains(&last)
    })
}

/// `final/src/options/server.rs "100"`: that stands in that file, and the number is in it, as it is
/// or in base units (1024 for 1 KiB).
fn check_setting(number: &Number, unit: Unit, setting: &str) -> Result<(), String> {
    let (file, literal) =
        setting.split_once(" \"").ok_or("a setting is a file and a \"literal\"")?;
    let literal = literal.strip_suffix('"').ok_or("the literal has no end")?;
    let values = [number.value, number.value * unit.scale];
    let is_number = |part: &str| part.replace('_', "").parse().is_ok_and(|n| values.contains(&n));
    if !literal.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').any(is_number) {
        return Err(format!("{literal:?} has not that number in it"));
    }
    let path = source(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    let ends = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let stands = text.match_indices(literal).any(|(at, _)| {
        ends(text[..at].chars().next_back()) && ends(text[at + literal.len()..].chars().next())
    });
    if stands { Ok(()) } else { Err(format!("{literal:?} does not stand in {file}")) }
}

/// A file of the repository; the `src` of a crate may be left out.
fn source(file: &str) -> PathBuf {
    let path = Path::new(crate::ROOT).join(file);
    match file.split_once('/') {
        Some((package, rest)) if !path.exists() => {
            Path::new(crate::ROOT).join(package).join("src").join(rest)
        }
        _ => path,
    }
}

/// Calculated from what the text itself says.
fn check_arithmetic(numbers: &[Number], arithmetic: &str) -> Result<(), String> {
    let value = evaluate(arithmetic, &Records::of([]))?.value;
    let number = numbers.first().filter(|_| numbers.len() == 1).ok_or("one number only")?;
    if !arithmetic.contains(['+', '-', '*', '/', ':']) {
        return Err("a number that follows from nothing but itself".to_owned());
    }
    if number.value == value { Ok(()) } else { number.is_rounded(value) }
}
