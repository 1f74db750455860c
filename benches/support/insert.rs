//! Tables that stand in a text, between two marks.

use crate::Outcome;

const END: &str = "<!-- end of tables -->";

/// The text, with the tables in the place of those that stand in it, between the mark `begin`, which
/// ends its line, and the next mark that ends tables.
///
/// # Errors
/// If the text has no such marks.
pub(crate) fn insert(text: &str, begin: &str, tables: &str) -> Outcome<String> {
    let parts = text.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or("the text has no marks for the tables")?;
    Ok(format!("{before}{begin}\n{tables}\n{END}{after}"))
}
