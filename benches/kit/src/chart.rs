//! Charts: what was measured, over the number of threads, with a line for each stage; and bars.
//!
//! Those that belong together are one SVG for light and for dark pages. Plotters draws it in the colours for light ones; a
//! style sheet in it, which names each colour, says what it is on dark ones. The colours are those of
//! Okabe and Ito (2008), which nearly everybody can tell apart. No line is told by its colour alone: each
//! has a marker of its own, and in the legend the lines stand in the order of their stages.

use crate::Outcome;
use crate::record::Rounds;
use crate::tables::{number, thousands};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::element::ComposedElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeSet;

/// What a page on GitHub has room for, and the height of a row of charts.
const WIDTH: u32 = 800;
const ROW: u32 = 310;
/// The space above the charts, for the titles, and beside them, for the legend.
const TITLES: u32 = 60;
const LEGEND: u32 = 150;

/// Colours, each for light and for dark pages.
type Ink = (u32, u32);
const PAPER: Ink = (0xffffff, 0x0d1117);
const TEXT: Ink = (0x1f2328, 0xe6edf3);
const PALE: Ink = (0x59636e, 0x9198a1);
const GRID: Ink = (0xd8dee4, 0x30363d);

/// How a line is told from the others: its colour, the corners of its marker and whether one of them
/// points down, and whether the marker is filled, and the line a thick one.
type Look = (Ink, u32, bool, bool);

/// Those of stages 1 to 7 and of `final`. The markers of the stages that have one lock around all are
/// hollow.
const LOOKS: [Look; 8] = [
    ((0x808080, 0x999999), 16, false, false),
    ((0x000000, 0xfefefe), 4, true, false),
    ((0x389fd8, 0x7cc8f5), 3, false, false),
    ((0xd99000, 0xe69f00), 4, false, false),
    ((0xb85c90, 0xdd8fbb), 3, true, false),
    ((0x008a64, 0x00b886), 4, true, true),
    ((0x0062a8, 0x4a93ff), 3, false, true),
    ((0xd05000, 0xf4711c), 16, false, true),
];

/// One of the lines of a chart.
pub(crate) struct Line {
    /// The number of the stage, from 0.
    pub(crate) stage: usize,
    pub(crate) name: &'static str,
    /// What was measured with each number of threads.
    pub(crate) points: Vec<(f64, Rounds)>,
}

pub(crate) struct Chart {
    pub(crate) title: String,
    /// What the horizontal axis counts, from 1 on.
    pub(crate) threads: String,
    pub(crate) is_logarithmic: bool,
    /// Of the machine: there stands a line.
    pub(crate) cores: usize,
    pub(crate) lines: Vec<Line>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The charts in rows of two, as SVG. The legend has the lines of all.
pub(crate) fn svg(title: &str, conditions: &str, charts: &[Chart]) -> Outcome<String> {
    let rows = charts.len().div_ceil(2);
    framed(title, conditions, rows as u32 * ROW, |body| {
        let (body, legend) = body.split_horizontally(WIDTH - LEGEND);
        for (chart, area) in charts.iter().zip(body.split_evenly((rows, 2))) {
            chart.draw_scaled(&area)?;
        }
        let mut seen = BTreeSet::new();
        let lines = charts.iter().flat_map(|chart| &chart.lines);
        let lines = lines.filter(|line| seen.insert(line.stage));
        for (line, y) in lines.zip((40..).step_by(24)) {
            legend.draw(&marker((12, y), LOOKS[line.stage])).map_err(message)?;
            let style = text(15, LOOKS[line.stage].0).pos(Pos::new(HPos::Left, VPos::Center));
            legend.draw(&Text::new(line.name, (26, y), style)).map_err(message)?;
        }
        Ok(())
    })
}

/// What is measured, and the rounds of each that was measured so, by name.
pub(crate) type Bars = (String, Vec<(String, Rounds)>);

/// A bar for each, in panels in rows of two, as SVG: the median, with a line from the least to the most.
pub(crate) fn bars(title: &str, conditions: &str, panels: &[Bars]) -> Outcome<String> {
    const LEFT: i32 = 92;
    let rows = panels.len().div_ceil(2);
    let longest = panels.iter().map(|(_, bars)| bars.len()).max().unwrap_or(0) as u32;
    framed(title, conditions, rows as u32 * (40 + 20 * longest), |body| {
        for ((title, bars), area) in panels.iter().zip(body.split_evenly((rows, 2))) {
            area.draw(&Text::new(title.as_str(), (16, 4), text(15, TEXT))).map_err(message)?;
            let most = bars.iter().map(|(_, rounds)| rounds.most()).fold(0.0, f64::max);
            let x = |value: f64| LEFT + (220.0 * value / most) as i32;
            for ((name, rounds), y) in bars.iter().zip((34..).step_by(20)) {
                let ink = if name.starts_with("kvs") { LOOKS[7].0 } else { LOOKS[2].0 };
                let at = |side| text(13, TEXT).pos(Pos::new(side, VPos::Center));
                let bar = [(LEFT, y - 6), (x(rounds.median()), y + 6)];
                let range = vec![(x(rounds.least()), y), (x(rounds.most()), y)];
                let (end, median) = ((x(rounds.most()) + 6, y), number(rounds.median()));
                let name = Text::new(name.as_str(), (LEFT - 6, y), at(HPos::Right));
                area.draw(&name).map_err(message)?;
                area.draw(&Rectangle::new(bar, light(ink).filled())).map_err(message)?;
                let range = PathElement::new(range, light(TEXT).stroke_width(2));
                area.draw(&range).map_err(message)?;
                area.draw(&Text::new(median, end, at(HPos::Left))).map_err(message)?;
            }
        }
        Ok(())
    })
}

/// A title, and below it what is drawn with so much height.
fn framed(
    title: &str,
    conditions: &str,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Outcome<()>,
) -> Outcome<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, TITLES + height)).into_drawing_area();
        area.fill(&light(PAPER)).map_err(message)?;
        let (head, body) = area.split_vertically(TITLES);
        head.draw(&Text::new(title, (16, 12), text(20, TEXT))).map_err(message)?;
        head.draw(&Text::new(conditions, (16, 38), text(14, PALE))).map_err(message)?;
        draw(&body)?;
        area.present().map_err(message)?;
    }
    Ok(svg.replacen(">\n", &format!(">\n{}", dark_style()), 1))
}

impl Chart {
    fn draw_scaled(&self, area: &Area<'_>) -> Outcome<()> {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let least = all().map(|(_, rounds)| rounds.least()).fold(f64::MAX, f64::min);
        let most = all().map(|(_, rounds)| rounds.most()).fold(0.0, f64::max);
        if self.is_logarithmic {
            let (least, most) = (0.8 * least, 1.25 * most);
            let y = (least..most).log_scale().with_key_points(one_two_five(least, most));
            self.draw(area, y)
        } else {
            self.draw(area, 0.0..1.05 * most)
        }
    }

    fn draw<Y: AsRangedCoord<Value = f64>>(&self, area: &Area<'_>, y: Y) -> Outcome<()>
    where
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let all = || self.lines.iter().flat_map(|line| line.points.iter().map(|p| p.0));
        let most = all().fold(2.0, f64::max);
        let threads: Vec<f64> = std::iter::successors(Some(1.0), |n| Some(2.0 * n))
            .take_while(|&n| n <= most)
            .collect();
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .caption(&self.title, text(15, TEXT))
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((0.9..1.1 * most).log_scale().base(2.0).with_key_points(threads), y)
            .map_err(message)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(light(GRID))
            .axis_style(light(GRID))
            .label_style(text(13, PALE))
            .axis_desc_style(text(14, TEXT))
            .x_desc(self.threads.as_str())
            .x_label_formatter(&|threads| threads.to_string())
            .y_label_formatter(&|value| tick(*value))
            .draw()
            .map_err(message)?;
        let cores = self.cores as f64;
        let height = chart.plotting_area().get_y_range();
        let edge = vec![(cores, height.start), (cores, height.end)];
        chart.draw_series([PathElement::new(edge, light(PALE))]).map_err(message)?;
        // Points without a line are drawn over the others: nothing else would show them.
        let (lone, long): (Vec<&Line>, Vec<&Line>) =
            self.lines.iter().partition(|line| line.points.len() == 1);
        for line in long.into_iter().chain(lone) {
            let (ink, _, _, is_filled) = LOOKS[line.stage];
            let style = light(ink).stroke_width(if is_filled { 3 } else { 2 });
            let points = || line.points.iter().map(|(x, rounds)| (*x, rounds.median()));
            chart.draw_series(LineSeries::new(points(), style)).map_err(message)?;
            let ranges = line.points.iter().map(|(x, rounds)| {
                PathElement::new(vec![(*x, rounds.least()), (*x, rounds.most())], light(ink))
            });
            chart.draw_series(ranges).map_err(message)?;
            let markers = points().map(|point| marker(point, LOOKS[line.stage]));
            chart.draw_series(markers).map_err(message)?;
        }
        Ok(())
    }
}

fn text(size: u32, ink: Ink) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&light(ink))
}

/// The marker of a look around a point: a polygon with so many corners.
fn marker<'a, P>(at: P, (ink, corners, points_down, is_filled): Look) -> Marker<'a, P> {
    let first = if points_down { 0.5 } else { 0.0 } / f64::from(corners);
    let corner = |n: u32| {
        let (sine, cosine) =
            ((f64::from(n) / f64::from(corners) + first) * std::f64::consts::TAU).sin_cos();
        ((6.0 * sine).round() as i32, (-6.0 * cosine).round() as i32)
    };
    let corners: Vec<_> = (0..=corners).map(corner).collect();
    let fill = light(if is_filled { ink } else { PAPER });
    EmptyElement::at(at)
        + Polygon::new(corners.clone(), fill.filled())
        + PathElement::new(corners, light(ink).stroke_width(2))
}

type Marker<'a, P> =
    ComposedElement<P, SVGBackend<'a>, Polygon<(i32, i32)>, PathElement<(i32, i32)>>;

fn light((light, _): Ink) -> RGBColor {
    RGBColor((light >> 16) as u8, (light >> 8) as u8, light as u8)
}

/// What the colours are on dark pages.
fn dark_style() -> String {
    let looks = LOOKS.map(|look| look.0);
    let rule = |(light, dark): Ink| {
        format!(
            "[fill=\"#{light:06X}\"]{{fill:#{dark:06x}}}[stroke=\"#{light:06X}\"]{{stroke:#{dark:06x}}}\n"
        )
    };
    let rules = [PAPER, TEXT, PALE, GRID].into_iter().chain(looks).map(rule);
    let rules: String = rules.collect();
    format!("<style>@media (prefers-color-scheme: dark) {{\n{rules}}}</style>\n")
}

/// The numbers 1, 2 and 5 and their tenfolds between two bounds.
fn one_two_five(least: f64, most: f64) -> Vec<f64> {
    let powers = least.log10().floor() as i32..=most.log10().ceil() as i32;
    let all = powers.flat_map(|n| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powi(n)));
    all.filter(|number| (least..=most).contains(number)).collect()
}

/// A number at an axis.
fn tick(value: f64) -> String {
    if value >= 1.0 || value == 0.0 { thousands(value.round() as u64) } else { number(value) }
}

/// The errors of a backend that only makes a text.
fn message(error: impl std::fmt::Display) -> String {
    format!("a figure can't be drawn: {error}")
}
