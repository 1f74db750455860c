//! Moves: the text shows every line that a step adds, and nobody keeps these lines twice.
//!
//! The stages are edited; what a reader of chapter N types to get from stage N − 1 to stage N is
//! derived from them. The chapter is prose with *directives*, each on a line of its own:
//!
//! ```text
//! <!-- move src/thread_pool/shared_queue.rs: SharedQueueThreadPool, SharedQueueThreadPool::new -->
//! <!-- /move -->
//! ```
//!
//! brings these items of the file to how they are in stage N. Between the two marks `cargo xtask sync`
//! writes captions, each with a link to the file and the place in it, and the code. Each item of stage
//! N that changes is in exactly one move, and then the reader has stage N, byte for byte.
//!
//! # What a move can name
//!
//! - `work`, `Job`, `KvsEngine`: a function, a type, a trait, a constant.
//! - `KvStore::open`: a member of an `impl`, whichever `impl` of the type it is in. The first and the
//!   last line of the `impl` come with its first member and go with its last.
//! - `impl KvStore`, `impl Drop for KvStore`: what no other move names of the members of this `impl`.
//!   Generics are left out in all names.
//! - `SharedQueueThreadPool.docs`: the documentation alone. If no move names it, it comes with the item.
//! - `mod shared_queue`, `pub use shared_queue` (the path without what is taken from it), `//!` for the
//!   documentation of the file.
//! - `*`: what no other move names in this file.
//! - Imports need no name: they come with the code that says them (see `file_change.rs`). `use std::thread`
//!   brings one earlier, `use` all of a file.
//! - A second item of the same name is `name #2`.
//! - In `Cargo.toml`, the dependencies. They are shown as `cargo add`.
//!
//! # Other directives
//!
//! - `<!-- compiles -->`: here the program compiles, says the text; `cargo xtask replay` looks whether it does.
//! - `<!-- try -->`, up to `<!-- /try -->`: a detour. What its fences say is done in their order: a `diff`
//!   fence changes the file that its `file=` names, a `rust` fence is one, a `toml` fence is added to one.
//!   A `rust` fence that `runs`, `hangs` or `aborts` is a program that uses the library `kvs`, and does so.
//!   The commands of a `console` fence are run, and the lines of a `text` fence must be in their output.
//!   What that changes in `src/` is taken back, the rest stays.
//! - `<!-- rename src/kv_store/mod.rs: KvStore = SharedKvStore -->`, anywhere in the chapter: what is
//!   `KvStore` in stage N − 1, with its members, is the item `SharedKvStore` of stage N. Members that
//!   don't change otherwise need no move then, and nobody types them again. What implements a trait for
//!   `KvStore` keeps its name.
//! - `<!-- step NAME -->`: here the program is as in `stages/N-…/steps/NAME`, a sub-stage for a chapter
//!   that passes the same lines twice. It has only the files that differ from stage N, and an empty one
//!   for a file that is not there yet. What comes after leads from the sub-stage to stage N.
//!   `cargo xtask follow` runs the tests of stage N − 1 on it.
//!
//! # How it works
//!
//! | file | what it does |
//! |---|---|
//! | `items.rs` | splits a file into the pieces that a move can name |
//! | `file_change.rs` | what a file is like when some of its items are done: the pieces of both stages side by side |
//! | `leg.rs` | finds the directives, the items that change, and the move that each is in |
//! | `render.rs` | writes the difference of two states as captions and fences |
//! | `typist.rs` | types what they say, and nothing else |
//! | `replay.rs` | has a whole text typed, compares the end with the stage, compiles, and makes the detours |
//! | `package.rs` | reads a stage |

mod file_change;
pub(crate) mod items;
mod leg;
pub(crate) mod package;
mod render;
mod replay;
#[cfg(test)]
mod tests;
mod typist;

use crate::tree::{Problem, Tree};
use leg::{Directive, Leg, chapters, legs};
pub(crate) use replay::typed;
use std::path::Path;

/// Writes the moves of a text, and types them: at the end there must be what the stage has.
pub(crate) fn sync(tree: &mut Tree, file: &str) -> Vec<Problem> {
    tree.rewrite(file, |tree, text| match generate(tree.root(), file, text) {
        Ok(new) => {
            let problems = typed(tree.root(), file, &new).err().unwrap_or_default();
            (new, problems)
        }
        Err(problems) => (text.to_owned(), problems),
    })
}

/// Compiles the states of a text as it is, and runs its detours.
pub(crate) fn replay(root: &Path, file: &str, text: &str) -> Vec<Problem> {
    match typed(root, file, text) {
        Ok(typed) => replay::compile(root, file, &typed.states),
        Err(problems) => problems,
    }
}

/// The text with all its moves written.
fn generate(root: &Path, file: &str, text: &str) -> Result<String, Vec<Problem>> {
    let (mut new, mut copied) = (String::new(), 0);
    each_leg(root, file, text, |leg| {
        for (body, generated) in leg.written(file)? {
            new += &text[copied..body.start];
            new += &generated;
            copied = body.end;
        }
        Ok(())
    })?;
    Ok(new + &text[copied..])
}

/// Does something with each leg of the chapters that are told by moves.
fn each_leg(
    root: &Path,
    file: &str,
    text: &str,
    mut visit: impl FnMut(&Leg) -> Result<(), Vec<Problem>>,
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let chapters = chapters(file, text)?;
    for chapter in chapters.iter().filter(|c| c.directives.iter().any(Directive::is_move)) {
        for leg in legs(root, chapter).map_err(|e| vec![Problem::new(file, chapter.line, e)])? {
            problems.extend(visit(&leg).err().unwrap_or_default());
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
