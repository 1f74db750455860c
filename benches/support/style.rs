//! How figures look: one style for all, on light and on dark paper.
//!
//! A figure is drawn twice, once for each [`Theme`], by plotters' SVG backend and in its pixels; no
//! font is embedded, so the text is the reader's sans-serif. [`both`] gives the two files. In Markdown,
//! `<picture>` shows the one that suits the page:
//!
//! ```html
//! <picture>
//!   <source media="(prefers-color-scheme: dark)" srcset="figures/NAME-dark.svg">
//!   <img alt="What it shows" src="figures/NAME-light.svg">
//! </picture>
//! ```
//!
//! Each has paper of its own, so it can be read anywhere. The colours are those of Okabe and Ito
//! (2008), which nearly everybody can tell apart, the darkest of them made lighter for dark paper. No
//! series is told by its colour alone: it has a marker of its own, and its name at its end.
#![allow(dead_code)] // compiled into several benches and tests, none of which uses all of it

use crate::Outcome;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The width of a figure, in pixels: what a page on GitHub has room for.
pub(crate) const WIDTH: u32 = 800;

/// Where a figure is drawn. Its coordinates are pixels, from the upper left.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A point in it.
pub(crate) type Point = (i32, i32);

/// The paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

const fn rgb(hex: u32) -> RGBColor {
    RGBColor((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Theme {
    fn pick(self, light: u32, dark: u32) -> RGBColor {
        rgb(if self == Theme::Light { light } else { dark })
    }

    pub(crate) fn paper(self) -> RGBColor {
        self.pick(0xffffff, 0x0d1117)
    }

    /// For text.
    pub(crate) fn ink(self) -> RGBColor {
        self.pick(0x1f2328, 0xe6edf3)
    }

    /// For text that says less.
    pub(crate) fn pale_ink(self) -> RGBColor {
        self.pick(0x59636e, 0x9198a1)
    }

    /// For the lines of a grid.
    pub(crate) fn grid(self) -> RGBColor {
        self.pick(0xd8dee4, 0x30363d)
    }
}

/// The shape at the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
    /// A triangle that stands on its point.
    Wedge,
}

/// How a series is told from the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) colour: RGBColor,
    pub(crate) shape: Shape,
    /// Whether the shape is filled, and the line a thick one.
    pub(crate) filled: bool,
}

/// The looks, in the same order on any paper: those of stages 1 to 7 and of `final`. The shapes of
/// the stages that have one lock around all are hollow.
pub(crate) fn looks(theme: Theme) -> [Look; 8] {
    let look = |light, dark, shape, filled| Look { colour: theme.pick(light, dark), shape, filled };
    [
        look(0x808080, 0x999999, Shape::Circle, false),
        look(0x000000, 0xffffff, Shape::Square, false),
        look(0x389fd8, 0x7cc8f5, Shape::Triangle, false),
        look(0xd99000, 0xe69f00, Shape::Diamond, false),
        look(0xb85c90, 0xdd8fbb, Shape::Wedge, false),
        look(0x008a64, 0x00b886, Shape::Square, true),
        look(0x0062a8, 0x4a93ff, Shape::Triangle, true),
        look(0xd05000, 0xf4711c, Shape::Circle, true),
    ]
}

/// A figure on both papers: the names of the files, without a directory, and their contents.
pub(crate) fn both(
    name: &str,
    height: u32,
    draw: impl Fn(&Area<'_>, Theme) -> Outcome<()>,
) -> Outcome<[(String, String); 2]> {
    let on = |theme: Theme, suffix| -> Outcome<_> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
            area.fill(&theme.paper()).map_err(words)?;
            draw(&area, theme)?;
            area.present().map_err(words)?;
        }
        Ok((format!("{name}-{suffix}.svg"), svg))
    };
    Ok([on(Theme::Light, "light")?, on(Theme::Dark, "dark")?])
}

/// The errors of a backend that only makes a text.
pub(crate) fn words(error: impl std::fmt::Display) -> String {
    format!("a figure cannot be drawn: {error}")
}

/// Where a text has the point that it is put at.
#[derive(Clone, Copy)]
pub(crate) enum Align {
    Left,
    Middle,
    Right,
}

/// Puts a line of text; its middle is as high as the point.
pub(crate) fn text(
    area: &Area<'_>,
    said: &str,
    at: Point,
    align: Align,
    size: u32,
    colour: RGBColor,
) -> Outcome<()> {
    let across = match align {
        Align::Left => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Right => HPos::Right,
    };
    let style = TextStyle::from(("sans-serif", size)).color(&colour);
    let style = style.pos(Pos::new(across, VPos::Center));
    Ok(area.draw(&Text::new(said.to_owned(), at, style)).map_err(words)?)
}

/// Draws a line through some points.
pub(crate) fn line(area: &Area<'_>, points: &[Point], colour: RGBColor, width: u32) -> Outcome<()> {
    let path = PathElement::new(points.to_vec(), colour.stroke_width(width));
    Ok(area.draw(&path).map_err(words)?)
}

/// Draws the shape of a look around a point.
pub(crate) fn marker(area: &Area<'_>, look: Look, at: Point, theme: Theme) -> Outcome<()> {
    let fill = if look.filled { look.colour } else { theme.paper() };
    if look.shape == Shape::Circle {
        area.draw(&Circle::new(at, 5, fill.filled())).map_err(words)?;
        return Ok(area.draw(&Circle::new(at, 5, look.colour.stroke_width(2))).map_err(words)?);
    }
    let corners: &[Point] = match look.shape {
        Shape::Circle => &[],
        Shape::Square => &[(-4, -4), (4, -4), (4, 4), (-4, 4), (-4, -4)],
        Shape::Diamond => &[(0, -6), (6, 0), (0, 6), (-6, 0), (0, -6)],
        Shape::Triangle => &[(0, -6), (6, 5), (-6, 5), (0, -6)],
        Shape::Wedge => &[(0, 6), (6, -5), (-6, -5), (0, 6)],
    };
    let corners: Vec<Point> = corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
    area.draw(&Polygon::new(corners.clone(), fill.filled())).map_err(words)?;
    line(area, &corners, look.colour, 2)
}

/// Moves labels apart: places along an axis, in any order, that are as near as can be to those wanted,
/// with a gap between any two, and within the bounds if there is room.
pub(crate) fn apart(wanted: &[i32], gap: i32, bounds: (i32, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&i| wanted[i]);
    // Labels that touch make a block, which lies around the middle of what its members want.
    let mut blocks: Vec<(Vec<usize>, i32)> = Vec::new();
    for i in order {
        let mut block = (vec![i], wanted[i]);
        while let Some(before) = blocks.pop_if(|before| end(before, gap) > block.1) {
            block.0.splice(0..0, before.0);
            block.1 = start(&block.0, wanted, gap);
        }
        let most = bounds.1 - gap * (block.0.len() as i32 - 1);
        block.1 = block.1.min(most).max(bounds.0);
        blocks.push(block);
    }
    // A block that a bound has moved may touch the one before.
    let mut limit = i32::MAX;
    let mut places = vec![0; wanted.len()];
    for (members, first) in blocks.into_iter().rev() {
        let first = first.min(limit.saturating_sub(gap * members.len() as i32));
        for (n, member) in (0..).zip(members) {
            places[member] = first + gap * n;
        }
        limit = first;
    }
    places
}

/// Where the label after a block may be.
fn end((members, first): &(Vec<usize>, i32), gap: i32) -> i32 {
    first + gap * members.len() as i32
}

/// Where the first label of a block lies, so that its members are where they want on average.
fn start(members: &[usize], wanted: &[i32], gap: i32) -> i32 {
    let offsets = (0..).zip(members).map(|(n, &member)| wanted[member] - gap * n);
    offsets.sum::<i32>() / members.len() as i32
}

#[cfg(test)]
#[allow(unused)] // a bench without a harness is built with `test`, and has no tests
mod tests {
    use super::*;

    #[test]
    fn labels_that_do_not_touch_stay_where_they_are() {
        assert_eq!(apart(&[100, 10, 50], 16, (0, 200)), [100, 10, 50]);
    }

    #[test]
    fn labels_that_touch_move_apart_by_as_little_as_can_be() {
        assert_eq!(apart(&[100, 100], 16, (0, 200)), [92, 108]);
        assert_eq!(apart(&[100, 101, 50], 16, (0, 200)), [92, 108, 50]);
    }

    #[test]
    fn labels_stay_within_bounds_and_apart() {
        let wanted = [200, 199, 198, 180, 3, 2, 1, 0];
        let mut places = apart(&wanted, 16, (0, 200));
        places.sort();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 16), "{places:?}");
        assert!(places[0] >= 0 && places[7] <= 200, "{places:?}");
    }

    #[test]
    fn no_two_series_look_alike() {
        for theme in [Theme::Light, Theme::Dark] {
            let looks = looks(theme);
            for (n, look) in looks.iter().enumerate() {
                let alike = |other: &Look| {
                    other.colour == look.colour
                        || (other.shape, other.filled) == (look.shape, look.filled)
                };
                assert!(!looks[..n].iter().any(alike), "{look:?}");
            }
        }
    }
}
