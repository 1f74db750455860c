//! The samples as tables in Markdown.

use crate::measure::{Cost, Variant};
use crate::record::Machine;
use crate::samples::{Samples, number, row};
use crate::{Record, Sample};

/// The figures that a table may have, each with the title of its column.
const FIGURES: [(&str, &str); 9] = [
    ("seconds", "time"),
    ("voluntary_switches", "voluntary switches"),
    ("involuntary_switches", "involuntary"),
    ("set_seconds", "the writer's time"),
    ("missing", "not found"),
    ("virtual_bytes", "virtual memory"),
    ("resident_bytes", "resident"),
    ("page_table_bytes", "page tables"),
    ("kernel_stack_bytes", "kernel stack"),
];

/// A table for each cost that has samples: medians, with the least and the most of the rounds.
pub(crate) fn tables(costs: &[Cost], record: &Record) -> String {
    let Machine { cpu, cores, memory_gib, kernel, file_system } = &record.conditions.machine;
    let rounds = record.samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    let head = format!(
        "{cpu}, {cores} cores, {memory_gib} GiB; Linux {kernel}, {file_system}; {}, revision {}; \
         {rounds} rounds of {} ms a measurement.\n\n",
        record.date,
        record.conditions.revision,
        number(record.conditions.seconds * 1000.0),
    );
    let tables = costs.iter().filter_map(|cost| table(cost, &record.samples));
    std::iter::once(head).chain(tables).collect()
}

fn table(cost: &Cost, samples: &[Sample]) -> Option<String> {
    let cells = |figure: &str| -> Vec<Option<String>> {
        cost.variants.iter().map(|variant| cell(cost, variant, figure, samples)).collect()
    };
    let columns: Vec<_> = FIGURES
        .iter()
        .map(|(figure, title)| (*title, cells(figure)))
        .filter(|(_, cells)| cells.iter().any(Option::is_some))
        .collect();
    if columns.is_empty() {
        return None;
    }
    let titles = columns.iter().map(|(title, _)| (*title).to_owned());
    let mut lines = vec![
        format!("One operation: {}.", cost.operation),
        String::new(),
        row(cost.name, std::iter::once("threads".to_owned()).chain(titles), [""; 0]),
        format!("|---|{}", "--:|".repeat(columns.len() + 1)),
    ];
    for (place, variant) in cost.variants.iter().enumerate() {
        let cells = columns.iter().map(|(_, cells)| cells[place].clone().unwrap_or_default());
        let cells = std::iter::once(variant.threads.to_string()).chain(cells);
        lines.push(row(variant.name, cells, [""; 0]));
    }
    Some(lines.join("\n") + "\n\n")
}

/// A figure of all rounds, in the unit that suits its median.
fn cell(cost: &Cost, variant: &Variant, figure: &str, samples: &[Sample]) -> Option<String> {
    let is_its = |s: &&Sample| {
        (&*s.cost, &*s.variant, s.threads) == (cost.name, variant.name, variant.threads)
    };
    let values = samples.iter().filter(is_its).filter_map(|s| s.figures.get(figure).copied());
    let values: Vec<f64> = values.collect();
    let median = Samples::new(values.iter().copied())?.median();
    let (scale, unit) = unit(figure, median);
    let shown = values.iter().map(|value| {
        // A switch in a thousand operations and less is the machine's doing.
        if figure.ends_with("switches") { (value * 1000.0).round() / 1000.0 } else { value / scale }
    });
    let words = Samples::new(shown)?.words();
    Some(words + unit)
}

fn unit(figure: &str, value: f64) -> (f64, &'static str) {
    let units: &[(f64, &str)] = if figure.ends_with("seconds") {
        &[(1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns")]
    } else if figure.ends_with("bytes") {
        &[(1048576.0, " MiB"), (1024.0, " KiB"), (1.0, " B")]
    } else {
        &[(1.0, "")]
    };
    let suits = |(scale, _): &&(f64, &str)| value >= *scale;
    *units.iter().find(suits).unwrap_or(&units[units.len() - 1])
}
