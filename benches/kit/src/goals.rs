//! What is wanted of `final`, beside what was measured.
//!
//! A line of `goals.txt` has a record, what was measured, the figure, and what is wanted: at least (`≥`) or at
//! most (`≤`) so much, or nothing. After the figure come others, whose best in the same round it is divided by.

use crate::record::{Record, Rounds, Unit};
use crate::tables::{table, with_spread};

/// The goals of a record that can be told from it.
pub(crate) fn table_of(name: &str, record: &Record) -> Option<String> {
    let disk = record.conditions.settings.get("disk").and_then(|disk| disk.as_str());
    let disk = disk.map_or(String::new(), |disk| format!("; disk: {disk}"));
    let head = format!("{}{disk}; rounds: {}.", record.source(), record.rounds());
    let rows = rows(include_str!("goals.txt"), name, record);
    Some(format!("{head}\n\n{}", table(&["", "measured", "wanted", ""], rows)?))
}

fn rows(goals: &str, name: &str, record: &Record) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let [of, what, figure, wanted] = line.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let rounds = (of == name).then(|| rounds(record, figure))??;
        let bound = wanted.split_once(' ').and_then(|(_, bound)| bound.parse::<f64>().ok());
        let is_reached = bound.map_or("", |bound| match wanted.starts_with('≥') {
            true if rounds.median() >= bound => "reached",
            false if rounds.median() <= bound => "reached",
            _ => "not reached",
        });
        let cells = [what, &with_spread(&rounds), wanted, is_reached];
        Some(cells.map(str::to_owned).into())
    };
    goals.lines().filter_map(row).collect()
}

/// A figure, or how many times the best of others it is, round by round.
fn rounds(record: &Record, figure: &str) -> Option<Rounds> {
    let figures = figure.split(" / ").map(|path| record.measured(path).ok());
    let mut figures = figures.collect::<Option<Vec<_>>>()?;
    let (values, unit) = figures.remove(0);
    let best = if unit == Unit::PerSecond { f64::max } else { f64::min };
    let ratio = |(round, value): (usize, &f64)| {
        let others = figures.iter().map(|(other, _)| other.get(round).copied());
        let others = others.collect::<Option<Vec<f64>>>()?;
        Some(value / others.into_iter().reduce(best).unwrap_or(1.0))
    };
    let ratios: Option<Vec<f64>> = values.iter().enumerate().map(ratio).collect();
    Rounds::new(ratios?.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_a_ratio_to_the_best_of_the_same_round_and_reached_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::new(dir.path(), []).unwrap().units(Unit::PerSecond, &["rate"]);
        for (of, rate) in [("a", 2.0), ("b", 1.0), ("c", 0.5), ("a", 6.0), ("b", 1.0), ("c", 2.0)] {
            record.add(of.to_owned(), [("rate".to_owned(), rate)].into());
        }
        let goals = "r | x | a/rate / b/rate / c/rate | ≥ 3\nr | y | a/rate | ≤ 4\nr | z | d/rate |\ns | z | a/rate |";
        let rows = rows(goals, "r", &record);
        let rows: Vec<String> = rows.into_iter().map(|row| row.join(", ")).collect();
        assert_eq!(
            rows,
            ["x, 2.50 (2.00–3.00), ≥ 3, not reached", "y, 4.00 (2.00–6.00), ≤ 4, reached"]
        );
    }
}
