//! Tables in Markdown, and numbers as they are in tables.

use crate::record::Rounds;

/// A table: the title of each column, and the cells of each row. The first column is text, the others
/// are numbers. None, if there are no rows.
///
/// By hand, because the libraries for tables draw them for a terminal: what they can do that this can't
/// is to make columns as wide as their cells.
pub fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Option<String> {
    let line = |cells: String| format!("| {cells} |\n");
    let rows: String = rows.into_iter().map(|cells| line(cells.join(" | "))).collect();
    let rule = format!("|---|{}\n", "--:|".repeat(titles.len() - 1));
    (!rows.is_empty()).then(|| line(titles.join(" | ")) + &rule + &rows)
}

/// The median, with least and most if they look different.
pub fn with_spread(rounds: &Rounds) -> String {
    let (least, most) = (number(rounds.least()), number(rounds.most()));
    let median = number(rounds.median());
    if least == most { median } else { format!("{median} ({least}–{most})") }
}

/// The median, if all are within a tenth of the most; else only the least and the most.
pub fn if_steady(rounds: &Rounds) -> String {
    if rounds.least() >= 0.9 * rounds.most() {
        return number(rounds.median());
    }
    format!("{}–{}", number(rounds.least()), number(rounds.most()))
}

/// With about three digits.
pub fn number(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => thousands(figure.round() as u64),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        size if size >= 0.001 => format!("{figure:.3}"),
        _ => format!("{figure:.5}"),
    }
}

/// A whole number, with commas between its thousands.
pub fn thousands(number: u64) -> String {
    let (head, tail) = (number / 1000, number % 1000);
    if head == 0 { tail.to_string() } else { format!("{},{tail:03}", thousands(head)) }
}
