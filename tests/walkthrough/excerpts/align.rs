//! The way from an old excerpt to new lines that changes as little as possible.

use super::pattern::{Part, fold_ends};
use std::collections::HashMap;

/// What happens to the next part or line.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The line is the one that was there.
    Keep,
    /// The part's line is gone.
    Drop,
    /// The line is new, and shown.
    Show,
    /// The fold stands for the lines before this one.
    Fold(usize),
}

/// What the last step leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum After {
    /// A line was kept, or nothing has come yet: a fold may follow.
    Kept,
    /// A line was dropped or is new: a fold here would have lost its neighbour.
    Changed,
    /// A fold: the line that followed it has to follow it still.
    Folded,
}

/// Where the search stands: the next part, the next line, and what was before.
type State = (usize, usize, After);

/// The parts of an excerpt that shows `lines` as `old` showed the lines of its time. None if a fold
/// would lose one of its neighbours.
pub fn refold(old: &[Part], lines: &[&str]) -> Option<Vec<Part>> {
    let mut search = Search { old, lines, known: HashMap::new() };
    search.cost((0, 0, After::Kept))?;
    let mut parts = Vec::new();
    let mut state = (0, 0, After::Kept);
    while let Some((_, Some(step))) = search.known[&state] {
        match step {
            Step::Keep | Step::Show => parts.push(Part::Line(lines[state.1].to_owned())),
            Step::Fold(_) => parts.push(old[state.0].clone()),
            Step::Drop => {}
        }
        state = next(state, step);
    }
    Some(parts)
}

fn next((part, line, _): State, step: Step) -> State {
    match step {
        Step::Keep => (part + 1, line + 1, After::Kept),
        Step::Drop => (part + 1, line, After::Changed),
        Step::Show => (part, line + 1, After::Changed),
        Step::Fold(end) => (part + 1, end, After::Folded),
    }
}

struct Search<'a> {
    old: &'a [Part],
    lines: &'a [&'a str],
    /// For each state how many lines change from there on, and the first step; none where no way
    /// leads to the end, no step at the end.
    known: HashMap<State, Option<(usize, Option<Step>)>>,
}

impl Search<'_> {
    /// How many lines change at least from here on, if there is a way.
    fn cost(&mut self, state: State) -> Option<usize> {
        if let Some(known) = self.known.get(&state) {
            return known.map(|(cost, _)| cost);
        }
        let is_end = (state.0, state.1) == (self.old.len(), self.lines.len());
        let mut best = is_end.then_some((0, None));
        for (step, price) in self.steps(state) {
            let cost = self.cost(next(state, step)).map(|cost| cost + price);
            if let Some(cost) = cost
                && best.is_none_or(|(least, _)| cost < least)
            {
                best = Some((cost, Some(step)));
            }
        }
        self.known.insert(state, best);
        best.map(|(cost, _)| cost)
    }

    /// The steps that are possible, with what each costs.
    fn steps(&self, (part, line, after): State) -> Vec<(Step, usize)> {
        let found = self.lines.get(line);
        let mut steps = Vec::new();
        match self.old.get(part) {
            Some(Part::Line(text)) => {
                if found == Some(&text.as_str()) {
                    steps.push((Step::Keep, 0));
                }
                if after != After::Folded {
                    steps.push((Step::Drop, 1));
                }
            }
            Some(fold) => {
                if after == After::Kept {
                    let ends = fold_ends(fold, self.lines, line);
                    steps.extend(ends.map(|end| (Step::Fold(end), 0)));
                }
                return steps;
            }
            None => {}
        }
        if found.is_some() && after != After::Folded {
            steps.push((Step::Show, 1));
        }
        steps
    }
}
