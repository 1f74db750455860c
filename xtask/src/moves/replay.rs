//! Has a whole text typed, and compares what there is at the end of a chapter with the stage.

use super::directives::{Directive, What};
use super::leg::Leg;
use super::package::{self, Package};
use super::{each_leg, typist};
use crate::tree::Problem;
use std::path::Path;

/// A package at some place of the text.
pub(super) struct State {
    pub(super) line: usize,
    pub(super) package: Package,
    pub(super) expected: Expected,
}

pub(super) enum Expected {
    /// Nobody has said whether it compiles.
    Anything,
    Compiles,
    /// It is a detour, as this text says.
    Try(String),
}

/// What a reader has at the end of a chapter, or at a sub-stage in it.
pub(crate) struct End {
    pub(crate) chapter: usize,
    pub(crate) is_stage: bool,
    pub(crate) package: Package,
    /// The detours of the interlude after it.
    pub(crate) detours: Vec<String>,
}

/// All that a reader of a text has at some time, in the order of the text.
#[derive(Default)]
pub(crate) struct Typed {
    pub(super) states: Vec<State>,
    pub(crate) ends: Vec<End>,
}

/// Types a whole text.
///
/// # Errors
/// If it can't be typed, or if the end of a chapter is not as the stage is.
pub(crate) fn typed(root: &Path, file: &str, text: &str) -> Result<Typed, Vec<Problem>> {
    let mut typed = Typed::default();
    each_leg(root, file, text, |chapter, leg| {
        let package = type_leg(leg, text, &mut typed.states)
            .map_err(|(line, error)| vec![Problem::new(file, line, error)])?;
        let is_stage = !leg.dirs[1].contains("/steps/");
        let is_after = |directive: &&Directive| directive.line > chapter.interlude;
        let detours = leg.directives.iter().filter(is_after);
        let detours = detours.map(|detour| text[detour.body.clone()].to_owned()).collect();
        typed.ends.push(End { chapter: chapter.stage, is_stage, package, detours });
        Ok(())
    })?;
    Ok(typed)
}

/// Types what a leg says, up to the first error.
fn type_leg(leg: &Leg, text: &str, states: &mut Vec<State>) -> Result<Package, (usize, String)> {
    let mut package = leg.old.clone();
    for directive in leg.directives {
        let line = directive.line;
        let body = &text[directive.body.clone()];
        match &directive.what {
            What::Move { .. } => {
                typist::type_in(&mut package, body).map_err(|error| (line, error))?;
                states.push(State { line, package: package.clone(), expected: Expected::Anything });
            }
            What::Try => {
                let expected = Expected::Try(body.to_owned());
                states.push(State { line, package: package.clone(), expected });
            }
            What::Compiles => compiles(states, line, &package),
            What::Step(_) | What::Rename { .. } => {}
        }
    }
    compiles(states, leg.line, &package);
    match package::differing(&package, &leg.new).first() {
        None => Ok(package),
        Some(file) => {
            let lines = |package: &Package| package.files.get(file).cloned().unwrap_or_default();
            let (typed, stage) = (lines(&package), lines(&leg.new));
            let same = typed.lines().zip(stage.lines()).take_while(|(a, b)| a == b).count();
            let (line, dir) = (same + 1, &leg.dirs[1]);
            Err((leg.line, format!("what was typed is not {dir}: `{file}` differs in line {line}")))
        }
    }
}

/// The package compiles here: the last state, if it was not a detour.
fn compiles(states: &mut Vec<State>, line: usize, package: &Package) {
    match states.last_mut() {
        Some(State { package: last, expected: expected @ Expected::Anything, .. })
            if last == package =>
        {
            *expected = Expected::Compiles;
        }
        _ => states.push(State { line, package: package.clone(), expected: Expected::Compiles }),
    }
}
