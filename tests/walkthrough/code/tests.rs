use super::{lonely, programs};
use crate::markdown::Document;
use libtest_mimic::Trial;

/// What is wrong with a text that is one program, and what it shows.
fn findings(info: &str, code: &str, shown: &str) -> Vec<String> {
    let document = Document::parse("t.md", format!("```rust {info}\n{code}\n```\n\n{shown}\n"));
    let programs = programs(&document);
    programs.iter().filter_map(|program| program.check().err()).map(|found| found.words).collect()
}

#[track_caller]
fn assert_true(info: &str, code: &str, shown: &str) {
    assert_eq!(findings(info, code, shown), Vec::<String>::new());
}

#[track_caller]
fn assert_caught(info: &str, code: &str, shown: &str, words: &str) {
    let found = findings(info, code, shown);
    assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
}

/// An engine of the first stage, which one thread has to itself.
const MOVED: &str = "use kvs::KvStore;
use std::thread;

let store = KvStore::open(\".\").unwrap();
let one = thread::spawn(move || drop(store));
let two = thread::spawn(move || drop(store));";
/// A job that waits for another one, on a pool with one thread.
const WAITS: &str = "use kvs::thread_pool::{SharedQueueThreadPool, ThreadPool};
use std::sync::{Arc, mpsc};

fn main() {
    let pool = Arc::new(SharedQueueThreadPool::new(1).unwrap());
    let (done, wait) = mpsc::channel();
    let again = Arc::clone(&pool);
    println!(\"start\");
    let (end, ended) = mpsc::channel::<()>();
    pool.spawn(move || {
        again.spawn(move || done.send(()).unwrap());
        wait.recv().unwrap();
        drop(end);
    });
    ended.recv().unwrap();
}";

fn code_that_is_wrong_as_the_text_says_is_accepted() {
    let shown = "It says:\n```text error=E0382\nerror[E0382]: use of moved value: `store`\n --> src/main.rs:7:25\n...\n\
                 5 | let one = thread::spawn(move || drop(store));\n  |       value moved into closure here\n```";
    assert_true("fails=E0382 stage=1", MOVED, shown);
}

fn a_program_that_hangs_runs_or_panics_is_accepted() {
    assert_true("hangs stage=4", WAITS, "```text output\nstart\n```");
    let runs = "let store = kvs::KvStore::open(\".\").unwrap();\nprintln!(\"{}\", rayon::current_num_threads() > 0);";
    assert_true("runs stage=final", runs, "```text output\ntrue\n```");
    let panics = "```text output\n...\nthread 'main' [..] panicked at [..]\nno\n...\n```";
    assert_true("panics stage=7", "panic!(\"no\")", panics);
}

fn a_planted_error_of_another_kind_is_caught() {
    assert_caught("fails=E0382 stage=1", "let x: u8 = \"\";", "", "its errors are {\"E0308\"}");
    let two = format!("{MOVED}\nlet x: u8 = kvs::nothing();");
    assert_caught("fails=E0382 stage=1", &two, "", "its errors are {\"E0425\"}");
}

fn a_planted_program_that_compiles_is_caught() {
    assert_caught("fails=E0382 stage=1", "let x = 1;", "", "it compiles");
}

fn a_planted_word_that_the_compiler_does_not_say_is_caught() {
    let shown = "```text error=E0382\nerror[E0382]: use of lent value\n```";
    assert_caught("fails=E0382 stage=1", MOVED, shown, "no `error[E0382]: use of lent value`");
    let order = "```text error=E0382\n5 | let one = [..]\nerror[E0382]: [..]\n```";
    assert_caught("fails=E0382 stage=1", MOVED, order, "no `error[E0382]: [..]` in its place");
    let code = "```text error=E0308\n```";
    assert_caught("fails=E0382 stage=1", MOVED, code, "the block before it fails with E0382");
}

fn a_planted_program_that_ends_otherwise_is_caught() {
    assert_caught("hangs stage=4", "println!(\"end\");", "", "exit status: 0\nend");
    assert_caught("runs stage=4", WAITS, "", "it hangs\nstart");
    assert_caught("panics stage=4", "std::process::exit(1)", "", "exit status: 1");
    assert_caught("runs stage=4", "kvs::nothing();", "", "does not compile");
    assert_caught("runs stage=8", "", "", "there is no stage `8`");
    assert_caught("hangs stage=4", "std::thread::sleep_ms(9999);", "", "must not sleep by itself");
}

fn a_planted_output_of_a_program_is_caught() {
    assert_caught("runs stage=4", "println!(\"a\");", "```text output\nb\n```", "it printed\na");
}

fn planted_words_of_nobody_are_caught() {
    let text = "```rust runs stage=4\n```\n# A\n```text output\n```\n\n```text error=E0382\n```\n";
    assert_eq!(lonely(&Document::parse("t.md", text)).len(), 2);
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        code_that_is_wrong_as_the_text_says_is_accepted,
        a_program_that_hangs_runs_or_panics_is_accepted,
        a_planted_error_of_another_kind_is_caught,
        a_planted_program_that_compiles_is_caught,
        a_planted_word_that_the_compiler_does_not_say_is_caught,
        a_planted_program_that_ends_otherwise_is_caught,
        a_planted_output_of_a_program_is_caught,
        planted_words_of_nobody_are_caught,
    ]
}
