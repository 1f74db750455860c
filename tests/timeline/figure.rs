//! The figure: a panel for each stage, in it a strip for each request, all on one scale. The script of the
//! pages (`xtask/book/src/page.js`) finds its parts by their classes, and shows them tick by tick.

use crate::strips::{COUNTED, Strip, Trace, counts};
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

/// Colours for light and dark pages, after Okabe and Ito, so that the colour-blind can tell them apart
/// too. What is told by a colour is told by a form or a word as well.
const STYLE: &str = r"text{font:11px system-ui,sans-serif;fill:#1f2328}
.page{fill:#fff}.title{font-weight:600;font-size:13px}.plain{font-weight:400;font-size:11px}.soft{fill:#59636e}.number{font-weight:600}
.grid{stroke:#d8dee4}.queued{stroke:#8c959f;stroke-dasharray:1.5 2.5;stroke-width:2}
.waiting{fill:none;stroke:#b35900}.get{fill:#0072b2}.set{fill:#d55e00}.work{fill:#1f2328}
.compact{fill:url(#hatch)}.hatch{stroke:#009e73;stroke-width:2.4}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.page{fill:#0d1117}.soft{fill:#9198a1}.grid{stroke:#30363d}
.queued{stroke:#8b949e}.waiting{stroke:#e69f00}.get{fill:#56b4e9}.set{fill:#f0803c}
.work{fill:#e6edf3}.hatch{stroke:#2fc89a}
}
";

/// Adds a line of SVG.
macro_rules! add {
    ($svg:expr, $($line:tt)*) => { writeln!($svg, $($line)*).unwrap() };
}

/// Draws the traces.
pub fn draw(traces: &[Trace]) -> String {
    let rows = traces.len().div_ceil(2);
    let height = HEAD + rows * PANEL.1 + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" data-tick=\"{TICK}\" data-ticks=\"{SCALE}\">\n\
         <title>How requests overlap in each stage</title>\n<style>\n{STYLE}</style>\n\
         <defs><pattern id=\"hatch\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V4\"/></pattern></defs>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    legend(&mut svg);
    for (number, trace) in traces.iter().enumerate() {
        let (x, y) = (MARGIN + number % 2 * PANEL.0, HEAD + number / 2 * PANEL.1);
        add!(svg, r#"<g class="panel" transform="translate({x} {y})">"#);
        panel(&mut svg, trace);
        add!(svg, "</g>");
    }
    svg + "</svg>\n"
}

fn text(svg: &mut String, class: &str, (x, y): (f64, usize), anchor: &str, words: &str) {
    add!(svg, r#"<text class="{class}" x="{x:.1}" y="{y}" text-anchor="{anchor}">{words}</text>"#);
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
        add!(svg, r#"<g transform="translate({x} {y})">"#);
        let sample = Strip { name, ticks: ticks.to_owned() };
        strip(svg, &sample);
        text(svg, "soft", (6.0 * TICK + 6.0, BOX), "start", words);
        add!(svg, "</g>");
    }
    let words = "Time in ticks. Beside a set, or compaction: ended while one was under way.";
    text(svg, "soft", (MARGIN as f64, 56), "start", words);
}

fn panel(svg: &mut String, trace: &Trace) {
    let (title, server) = (trace.stage.title(), trace.stage.server);
    let title = format!(r#"{title} <tspan class="soft plain">{server}</tspan>"#);
    text(svg, "title", (0.0, 12), "start", &title);
    let (left, top) = STRIPS;
    let bottom = top + trace.strips.len() * PITCH;
    let right_of = |tick: usize| left as f64 + tick as f64 * TICK;
    for tick in (0..=SCALE).step_by(LINES) {
        add!(svg, r#"<path class="grid" d="M{:.1} {}V{bottom}"/>"#, right_of(tick), top - 4);
        text(svg, "soft", (right_of(tick), bottom + 12), "middle", &tick.to_string());
    }
    for (number, traced) in trace.strips.iter().enumerate() {
        let y = top + number * PITCH;
        text(svg, "soft", (left as f64 - 5.0, y + BOX), "end", traced.name);
        add!(svg, r#"<g class="strip" transform="translate({left} {y})">"#);
        strip(svg, traced);
        add!(svg, "</g>");
    }
    let lines = COUNTED.into_iter().zip(counts(&trace.strips));
    for (number, (words, count)) in lines.enumerate() {
        let words = format!(r#"{words} <tspan class="number">{count}</tspan>"#);
        text(svg, "soft", (right_of(SCALE), top + number * PITCH + BOX), "end", &words);
    }
}

/// A strip, from its tick 0 on.
fn strip(svg: &mut String, strip: &Strip) {
    let mut from = 0;
    for run in strip.ticks.as_bytes().chunk_by(|a, b| a == b) {
        let (x, width) = (from as f64 * TICK, run.len() as f64 * TICK);
        let class = match run[0] {
            b'q' => "queued",
            b'.' => "waiting",
            b'#' => "work",
            b'=' if strip.is_get() => "get",
            b'=' => "set",
            b'c' => "compact",
            _ => "",
        };
        match class {
            "" => {}
            "queued" => add!(svg, r#"<path class="queued" d="M{x:.1} {}h{width:.1}"/>"#, BOX / 2),
            _ => {
                // A wait is a flat frame, the rest a full box.
                let (y, height) = if class == "waiting" { (2.5, 4) } else { (0.0, BOX) };
                add!(
                    svg,
                    r#"<rect class="{class}" x="{x:.1}" y="{y}" width="{width:.1}" height="{height}"/>"#
                );
            }
        }
        from += run.len();
    }
}
