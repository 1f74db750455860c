//! The figure: a panel for each stage, in it a strip for each request, all on one scale.

use crate::record::Trace;
use crate::strips::{Phase, Strip};
use std::fmt::Write as _;

/// Sizes, in pixels.
const WIDTH: usize = 800;
const MARGIN: usize = 14;
const HEAD: usize = 76;
/// From one panel to the next, to the right and down.
const PANEL: (usize, usize) = (393, 206);
/// Where a panel's strips begin.
const STRIPS: (usize, usize) = (64, 24);
/// From one strip to the next.
const PITCH: usize = 13;
/// How high a box is.
const BOX: usize = 9;
/// How wide a tick is.
const TICK: f64 = 5.1;
/// The last tick on the scale, and the ticks from one line to the next.
const SCALE: usize = 60;
const LINES: usize = 10;

/// Colours for light and dark pages (after Okabe and Ito, whom no one need confuse). A form of its
/// own goes with each.
const STYLE: &str = "\
text{font:11px system-ui,sans-serif;fill:#24292f}
.page{fill:#fff}.title{font-weight:600;font-size:13px}.soft{fill:#57606a}.number{font-weight:600}
.grid{stroke:#d8dee4}.queued{stroke:#8c959f;stroke-dasharray:1.5 2.5;stroke-width:2}
.waiting{fill:none;stroke:#b35900}.get{fill:#0072b2}.set{fill:#d55e00}.work{fill:#24292f}
.compact{fill:url(#hatch)}.hatch{stroke:#009e73;stroke-width:2.4}.edge{fill:none;stroke:#009e73}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.page{fill:#0d1117}.soft{fill:#9198a1}.grid{stroke:#30363d}
.queued{stroke:#8b949e}.waiting{stroke:#e69f00}.get{fill:#56b4e9}.set{fill:#f0803c}
.work{fill:#e6edf3}.hatch{stroke:#2fc89a}.edge{stroke:#2fc89a}
}
";

/// Draws the traces.
pub fn draw(traces: &[Trace]) -> String {
    let rows = traces.len().div_ceil(2);
    let height = HEAD + rows * PANEL.1 + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>How requests overlap in each stage</title>\n<style>\n{STYLE}</style>\n\
         <defs><pattern id=\"hatch\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V4\"/></pattern></defs>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    legend(&mut svg);
    for (number, trace) in traces.iter().enumerate() {
        let (x, y) = (MARGIN + number % 2 * PANEL.0, HEAD + number / 2 * PANEL.1);
        write_line(&mut svg, format_args!("<g transform=\"translate({x} {y})\">"));
        panel(&mut svg, trace);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn write_line(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").unwrap();
}

fn text(svg: &mut String, class: &str, x: f64, y: usize, anchor: &str, text: &str) {
    write_line(
        svg,
        format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
        ),
    );
}

/// Samples of what is drawn, in two rows.
fn legend(svg: &mut String) {
    let samples = [
        ("get", "qqqqqq", "queued"),
        ("get", "......", "waits for a lock or a write"),
        ("get", "######", "encodes or decodes"),
        ("get", "======", "get: the disk reads"),
        ("set", "======", "set: the disk writes"),
        ("set", "cccccc", "compacts"),
    ];
    let places = [(0, 0), (110, 0), (330, 0), (0, 1), (170, 1), (345, 1)];
    for ((name, ticks, words), (x, row)) in samples.into_iter().zip(places) {
        let (x, y) = (MARGIN + x, 10 + row * 18);
        write_line(svg, format_args!("<g transform=\"translate({x} {y})\">"));
        let sample = Strip { name: name.to_owned(), ticks: ticks.to_owned() };
        strip(svg, &sample);
        text(svg, "soft", 6.0 * TICK + 6.0, BOX, "start", words);
        svg.push_str("</g>\n");
    }
    let words = "Time in ticks. Beside a set, or compaction: ended while one was under way. \
                 Longest get: the slow one aside.";
    text(svg, "soft", MARGIN as f64, 56, "start", words);
}

fn panel(svg: &mut String, trace: &Trace) {
    let title = format!(
        "{} <tspan class=\"soft\" font-weight=\"400\" font-size=\"11\">{}</tspan>",
        trace.title(),
        trace.server
    );
    text(svg, "title", 0.0, 12, "start", &title);
    let bottom = STRIPS.1 + trace.strips.len() * PITCH;
    let tick_at = |tick: usize| STRIPS.0 as f64 + tick as f64 * TICK;
    for tick in (0..=SCALE).step_by(LINES) {
        let (x, from) = (tick_at(tick), STRIPS.1 - 4);
        let line = format_args!("<path class=\"grid\" d=\"M{x:.1} {from}V{bottom}\"/>").to_string();
        write_line(svg, format_args!("{line}"));
        text(svg, "soft", x, bottom + 12, "middle", &tick.to_string());
    }
    for (number, traced) in trace.strips.iter().enumerate() {
        let y = STRIPS.1 + number * PITCH;
        text(svg, "soft", STRIPS.0 as f64 - 5.0, y + BOX, "end", &traced.name);
        write_line(svg, format_args!("<g transform=\"translate({} {y})\">", STRIPS.0));
        strip(svg, traced);
        svg.push_str("</g>\n");
    }
    let counts = &trace.counts;
    let lines = [
        ("gets at once", counts.gets_at_once),
        ("gets beside a set", counts.gets_beside_a_set),
        ("gets beside compaction", counts.gets_beside_compaction),
        ("sets beside compaction", counts.sets_beside_compaction),
        ("longest get", counts.longest_get),
        ("last answer", counts.last_answer),
    ];
    for (number, (words, count)) in lines.into_iter().enumerate() {
        let y = STRIPS.1 + number * PITCH + BOX;
        let words = format!("{words} <tspan class=\"number\">{count}</tspan>");
        text(svg, "soft", tick_at(SCALE), y, "end", &words);
    }
}

/// A strip, from its tick 0 on.
fn strip(svg: &mut String, strip: &Strip) {
    let mut from = 0;
    for run in strip.ticks.as_bytes().chunk_by(|a, b| a == b) {
        let (x, width) = (from as f64 * TICK, run.len() as f64 * TICK);
        let sign = char::from(run[0]);
        let middle = BOX as f64 / 2.0;
        let line = if sign == Phase::Queued.sign() {
            format!("<path class=\"queued\" d=\"M{x:.1} {middle}h{width:.1}\"/>")
        } else if sign == Phase::Waiting.sign() {
            let (top, x, width) = (2.5, x + 0.5, width - 1.0);
            format!(
                "<rect class=\"waiting\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"4\"/>"
            )
        } else if sign == ' ' {
            String::new()
        } else {
            let class = match sign {
                _ if sign == Phase::Working.sign() => "work",
                _ if sign == Phase::Compacting.sign() => "compact",
                _ if strip.is_get() => "get",
                _ => "set",
            };
            format!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{BOX}\"/>"
            )
        };
        if !line.is_empty() {
            write_line(svg, format_args!("{line}"));
        }
        from += run.len();
    }
}
