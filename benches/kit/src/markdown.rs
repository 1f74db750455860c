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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_the_spread_where_there_is_one() {
        let rounds = |figures: &[f64]| Rounds::new(figures.iter().copied()).unwrap();
        assert_eq!(with_spread(&rounds(&[300.0, 100.0, 200.0])), "200 (100–300)");
        assert_eq!(with_spread(&rounds(&[1472.0])), "1,472");
        assert_eq!(if_steady(&rounds(&[1.0, 0.95])), "0.975");
        assert_eq!(if_steady(&rounds(&[0.031, 0.005])), "0.005–0.031");
    }

    #[test]
    fn a_table_without_rows_is_none() {
        let titles = ["title", "a"];
        assert_eq!(table(&titles, []), None);
        let row = vec!["row".to_owned(), "1".to_owned()];
        assert_eq!(table(&titles, [row]).unwrap(), "| title | a |\n|---|--:|\n| row | 1 |\n");
    }
}
