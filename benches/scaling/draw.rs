//! The figures: for each workload what is done in a second, and how long the slow ones take, over the
//! number of threads. Drawn from the record, and from nothing else.

use crate::Outcome;
use crate::sample::{Sample, Scaling, median, threads};
use crate::samples::{number, thousands};
use crate::stage::Stage;
use crate::style::{Align, Area, Point, Theme, apart, both, line, looks, marker, text};
use crate::workloads::Work;
use std::collections::BTreeMap;

/// Where the figures are kept, below the root.
pub(crate) const FIGURES: &str = "benches/figures";

const HEIGHT: u32 = 420;

/// The corners of what the axes enclose.
const LEFT: i32 = 64;
const RIGHT: i32 = 640;
const TOP: i32 = 66;
const BOTTOM: i32 = 366;

/// All figures of the record: the names of their files, and what is in them.
pub(crate) fn figures(record: &Scaling) -> Outcome<Vec<(String, String)>> {
    let mut files = Vec::new();
    for work in Work::ALL {
        for view in views(work) {
            let lines = lines(record, work, view.figure);
            if !lines.is_empty() {
                let name = format!("scaling-{}-{}", work.name(), view.figure);
                let draw = |area: &Area<'_>, theme| chart(area, theme, record, work, &view, &lines);
                files.extend(both(&name, HEIGHT, draw)?);
            }
        }
    }
    Ok(files)
}

/// One figure of a workload.
struct View {
    /// Its name in the record.
    figure: &'static str,
    title: String,
    logarithmic: bool,
}

fn views(work: Work) -> Vec<View> {
    let what = match work {
        Work::Read => "Gets",
        Work::Write => "Sets",
        Work::Mixed => "95 % gets, 5 % sets",
        Work::BesideWriter => "Gets beside a thread that does nothing but set",
        Work::Compacting => "Gets while the store compacts for half of the time",
        Work::ServerGet => "Gets, 16 at once from each client",
        Work::ServerSet => "Sets, 16 at once from each client",
        Work::ServerMixed => "95 % gets, 5 % sets, 16 at once from each client",
        Work::ServerConnect => "Gets of 16 clients, each over a new connection",
    };
    let rate =
        View { figure: "rate", title: format!("{what}: thousands a second"), logarithmic: false };
    let tail =
        |figure, words| View { figure, title: format!("{what}: {words}, µs"), logarithmic: true };
    match work {
        // While a compaction stops all readers, each of them is in one get, of thousands: a
        // percentile would not see it.
        Work::Compacting => vec![rate, tail("longest", "the longest")],
        Work::BesideWriter => {
            let title = "The thread that sets beside those that get: thousands of sets a second";
            let sets = View { figure: "sets", title: title.to_owned(), logarithmic: false };
            vec![rate, tail("p99", "99th percentile"), sets]
        }
        _ => vec![rate, tail("p99", "99th percentile")],
    }
}

/// The line of a stage: the median at each number of threads with which it was measured.
struct Line {
    stage: Stage,
    points: Vec<(u32, f64)>,
}

fn lines(record: &Scaling, work: Work, figure: &str) -> Vec<Line> {
    let line = |stage| {
        let at = |threads| Some((threads, median(&record.samples, work, stage, threads, figure)?));
        Line { stage, points: threads(&record.samples).into_iter().filter_map(at).collect() }
    };
    Stage::ALL.into_iter().map(line).filter(|line| !line.points.is_empty()).collect()
}

fn chart(
    area: &Area<'_>,
    theme: Theme,
    record: &Scaling,
    work: Work,
    view: &View,
    lines: &[Line],
) -> Outcome<()> {
    let scale = Scale::of(lines, view.logarithmic);
    text(area, &view.title, (16, 22), Align::Left, 20, theme.ink())?;
    text(area, &conditions(record, work), (16, 44), Align::Left, 14, theme.pale_ink())?;
    for (value, y) in scale.ticks() {
        line(area, &[(LEFT, y), (RIGHT, y)], theme.grid(), 1)?;
        text(area, &tick(value), (LEFT - 8, y), Align::Right, 15, theme.pale_ink())?;
    }
    let threads = threads(&record.samples);
    let most = threads.last().copied().unwrap_or(1);
    let x = |threads| x(threads, most);
    for threads in threads {
        let (at, words) = ((x(threads), BOTTOM + 16), threads.to_string());
        text(area, &words, at, Align::Middle, 15, theme.pale_ink())?;
    }
    let axis = match work {
        Work::BesideWriter | Work::Compacting => "threads that get",
        Work::Read | Work::Write | Work::Mixed => "threads",
        Work::ServerConnect => "threads of the server's pool",
        _ => "threads of the server's pool, and clients",
    };
    let middle = (LEFT + RIGHT) / 2;
    text(area, axis, (middle, BOTTOM + 38), Align::Middle, 15, theme.ink())?;

    let place = |&(threads, value): &(u32, f64)| (x(threads), scale.y(value));
    let ends: Vec<Point> = lines.iter().filter_map(|line| line.points.last()).map(place).collect();
    let wanted: Vec<i32> = ends.iter().map(|end| end.1).collect();
    let labels = apart(&wanted, 18, (TOP, BOTTOM));
    let mut drawn: Vec<_> = lines.iter().zip(&ends).zip(labels).collect();
    // The last is drawn over the others: the newest, and then points without a line, which nothing else
    // would show.
    drawn.sort_by_key(|((series, _), _)| series.points.len() == 1);
    for ((series, &end), label) in drawn {
        let look = looks(theme)[series.stage as usize];
        let points: Vec<Point> = series.points.iter().map(place).collect();
        line(area, &points, look.colour, if look.filled { 3 } else { 2 })?;
        // Across the figure it would look like a line: who ends early is told by its marker.
        if end.0 == x(most) {
            leader(area, (end.0 + 9, end.1), (RIGHT + 9, label), theme)?;
        }
        for &point in &points {
            marker(area, look, point, theme)?;
        }
        marker(area, look, (RIGHT + 16, label), theme)?;
        text(area, name(series.stage), (RIGHT + 28, label), Align::Left, 15, look.colour)?;
    }
    Ok(())
}

/// Leads from the end of a line to its label, in dots: it is no part of the line.
fn leader(area: &Area<'_>, from: Point, to: Point, theme: Theme) -> Outcome<()> {
    let dots = ((to.0 - from.0) / 4).max(1);
    (0..=dots).try_for_each(|n| {
        let at = (from.0 + (to.0 - from.0) * n / dots, from.1 + (to.1 - from.1) * n / dots);
        line(area, &[at, (at.0 + 1, at.1)], theme.pale_ink(), 1)
    })
}

/// What a stage is called in a figure.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::NaivePool => "1 naive pool",
        Stage::SharedEngine => "2 shared engine",
        Stage::ThreadedServer => "3 threaded server",
        Stage::SharedQueue => "4 shared queue",
        Stage::Rayon => "5 rayon",
        Stage::RwLock => "6 RwLock",
        Stage::LockFree => "7 lock-free",
        Stage::Final => "final",
    }
}

/// Under what conditions, in one line.
fn conditions(record: &Scaling, work: Work) -> String {
    let c = &record.conditions;
    let whole = if work.is_served() { "Server and clients" } else { "The engine by itself" };
    let mut rounds = BTreeMap::new();
    for Sample { stage, threads, .. } in record.samples.iter().filter(|s| s.work == work) {
        *rounds.entry((stage, threads)).or_insert(0) += 1;
    }
    let rounds = match rounds.into_values().min() {
        Some(rounds @ 2..) => format!("median of {rounds} rounds"),
        _ => "one round".to_owned(),
    };
    format!(
        "{whole}; {} cores; {} values of {} bytes, in memory ({}); {rounds} of {} s",
        c.machine.cores,
        thousands(c.keys),
        thousands(c.value_bytes as u64),
        c.machine.file_system,
        c.seconds * work.longer(),
    )
}

/// Where so many threads stand: twice as many are as far again.
fn x(threads: u32, most: u32) -> i32 {
    let position = f64::from(threads).log2() / f64::from(most.max(2)).log2();
    LEFT + 28 + (position * f64::from(RIGHT - LEFT - 56)).round() as i32
}

/// The axis of what was measured.
struct Scale {
    least: f64,
    most: f64,
    logarithmic: bool,
}

impl Scale {
    /// One that has room for all points, from a round number to another.
    fn of(lines: &[Line], logarithmic: bool) -> Scale {
        let values = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        let most = values().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        if logarithmic {
            let least = round_below(values().fold(most, f64::min).max(0.001));
            let most = rounds(least).find(|&round| round >= most && round > least);
            return Scale { least, most: most.unwrap_or(f64::MAX), logarithmic };
        }
        let step = step(most);
        Scale { least: 0.0, most: (most / step).ceil() * step, logarithmic }
    }

    fn y(&self, value: f64) -> i32 {
        let position = if self.logarithmic {
            (value.max(self.least) / self.least).log10() / (self.most / self.least).log10()
        } else {
            value / self.most
        };
        BOTTOM - (position * f64::from(BOTTOM - TOP)).round() as i32
    }

    /// What stands at the axis, and where.
    fn ticks(&self) -> Vec<(f64, i32)> {
        let values: Vec<f64> = if self.logarithmic {
            // Where there are many, only every third, and the last.
            let all = rounds(self.least).take_while(|&round| round <= self.most * 1.001);
            let is_power = |round: &f64| (round.log10() - round.log10().round()).abs() < 0.01;
            let few = self.most / self.least < 500.0;
            let is_last = |round: &f64| *round > self.most * 0.999;
            all.filter(|round| few || is_power(round) || is_last(round)).collect()
        } else {
            let step = step(self.most);
            (0..=(self.most / step).round() as i32).map(|n| f64::from(n) * step).collect()
        };
        values.into_iter().map(|value| (value, self.y(value))).collect()
    }
}

/// The numbers 1, 2 and 5 and their tenfolds, from one of them on.
fn rounds(first: f64) -> impl Iterator<Item = f64> {
    let power = 10f64.powf((first * 1.001).log10().floor());
    let all = (0..).flat_map(move |n| [1.0, 2.0, 5.0].map(|times| times * power * 10f64.powi(n)));
    all.skip_while(move |&round| round < first * 0.999)
}

/// The greatest of them that is not above a number.
fn round_below(number: f64) -> f64 {
    let power = 10f64.powf(number.log10().floor());
    rounds(power).take_while(|&round| round <= number).last().unwrap_or(power)
}

/// A round number that goes into another some four to eight times.
fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 4.0).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|times| times * power);
    steps.into_iter().find(|step| most / step >= 4.0).unwrap_or(power)
}

/// A number at an axis.
fn tick(value: f64) -> String {
    if value >= 1.0 || value == 0.0 { thousands(value.round() as u64) } else { number(value) }
}
