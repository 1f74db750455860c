//! Figures of several rounds, and figures as they stand in the tables.
#![allow(dead_code)] // compiled into several benches, none of which uses all of it

/// The same figure from every round, in order of size.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Nothing, if there are none.
    pub(crate) fn new(figures: impl Iterator<Item = f64>) -> Option<Samples> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        (!figures.is_empty()).then_some(Samples(figures))
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.0[middle]
        } else {
            (self.0[middle - 1] + self.0[middle]) / 2.0
        }
    }

    /// The median, with least and most if they look different.
    pub(crate) fn words(&self) -> String {
        let (median, all) = (number(self.median()), &self.0);
        let (least, most) = (number(all[0]), number(all[all.len() - 1]));
        if least == most { median } else { format!("{median} ({least}–{most})") }
    }

    /// The median, if all are within a tenth of the most; else only the least and the most.
    pub(crate) fn steady(&self) -> String {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        if least >= 0.9 * most {
            return number(self.median());
        }
        format!("{}–{}", number(least), number(most))
    }
}

/// How often the first of all that was measured has been, by the cells that the samples are of.
pub(crate) fn rounds<T: PartialEq>(mut cells: impl Iterator<Item = T>) -> usize {
    let Some(first) = cells.next() else {
        return 0;
    };
    1 + cells.filter(|cell| *cell == first).count()
}

/// With about three digits.
pub(crate) fn number(figure: f64) -> String {
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

pub(crate) fn thousands(number: u64) -> String {
    let (head, tail) = (number / 1000, number % 1000);
    if head == 0 { tail.to_string() } else { format!("{},{tail:03}", thousands(head)) }
}

/// A line of a table: its title, a cell for each column, and those at the end.
pub(crate) fn row<T: Into<String>>(
    title: &str,
    cells: impl Iterator<Item = String>,
    ends: impl IntoIterator<Item = T>,
) -> String {
    let cells: Vec<String> = cells.chain(ends.into_iter().map(T::into)).collect();
    format!("| {title} | {} |", cells.join(" | "))
}
