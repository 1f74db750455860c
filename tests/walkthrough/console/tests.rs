use super::{programs, script};
use crate::markdown::Document;
use libtest_mimic::Trial;

/// What is wrong with a text that is one session.
fn findings(stage: &str, session: &str) -> Vec<String> {
    let document = Document::parse("t.md", format!("```console stage={stage}\n{session}```\n"));
    let (block, code) = document.codes().next().unwrap();
    super::run(block.line, code).0.into_iter().map(|found| found.words).collect()
}

#[track_caller]
fn assert_goes(stage: &str, session: &str) {
    assert_eq!(findings(stage, session), Vec::<String>::new());
}

#[track_caller]
fn assert_caught(stage: &str, session: &str, words: &str) {
    let found = findings(stage, session);
    assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
}

fn server(stage: &str) -> String {
    format!(
        "$ cargo run --features stage-{stage} --bin kvs-server &\n...\n[..] listening on 127.0.0.1:4000\n"
    )
}

fn a_session_talks_to_the_server_that_it_started() {
    let client = "cargo run --features stage-1 --bin kvs-client";
    assert_goes(
        "1",
        &format!(
            "{}$ {client} set animal crab\n$ {client} get animal\ncrab\n$ {client} rm no || echo $?\nKey not found\n1\n$ kill %1\n",
            server("1")
        ),
    );
}

fn final_is_a_stage_too() {
    let run = "cargo run --release -p final";
    assert_goes(
        "final",
        &format!(
            "$ {run} server --dir data &\n[..] listening on 127.0.0.1:4000\n$ {run} client set a b\n$ {run} client get a\nb\n$ kill -INT %1\n[..] stopped\n$ wait %1; echo $?\n0\n"
        ),
    );
}

fn a_client_that_waits_gets_its_answer_when_the_idle_one_is_gone() {
    let get = "cargo run --features stage-2 --bin kvs-client get k";
    assert_goes(
        "2",
        &format!("{}$ nc 127.0.0.1 4000 &\n$ {get} &\n$ kill %2\nKey not found\n", server("2")),
    );
}

fn idle_clients_of_a_loop_are_connected_before_the_next_command() {
    let get = "cargo run --features stage-5 --bin kvs-client get k";
    let server = server("5").replace("kvs-server &", "kvs-server -- --threads 2 &");
    assert_goes(
        "5",
        &format!(
            "{server}$ for i in 1 2; do nc 127.0.0.1 4000 & done\n$ {get} &\n$ kill %2 %3\nKey not found\n$ kill %1\n[..] stopped\n"
        ),
    );
}

fn a_session_has_netcat_pipes_and_variables() {
    let set = r#"{"Set":{"key":"k","value":"v"}}"#;
    let nc = "nc -N 127.0.0.1 4000";
    assert_goes(
        "4",
        &format!(
            "{}$ x='{set}'\n$ seq 3 | sed \"s/.*/$x/\" | {nc}\n{{\"Ok\":null}}\n{{\"Ok\":null}}\n{{\"Ok\":null}}\n$ kill -9 %1\n",
            server("4")
        ),
    );
}

fn a_server_is_started_again_on_the_same_data() {
    let client = "cargo run --features stage-3 --bin kvs-client";
    let server = server("3");
    assert_goes(
        "3",
        &format!("{server}$ {client} set k v\n$ kill %1\n{server}$ {client} get k\nv\n"),
    );
}

fn a_job_that_was_killed_tells_its_exit_status_in_the_same_line() {
    assert_goes("1", &format!("{}$ kill %1; wait %1; echo $?\n143\n", server("1")));
    assert_goes("1", "$ sleep 100 &\n$ sleep 100 &\n$ kill $(jobs -p); wait %2; echo $?\n143\n");
}

fn several_ports_are_told_apart() {
    let second =
        "cargo run --features stage-6 --bin kvs-server -- --addr 127.0.0.1:4001 --dir other";
    let get = "cargo run --bin kvs-client get k --addr 127.0.0.1:4001";
    assert_goes(
        "6",
        &format!(
            "{}$ mkdir other\n$ {second} &\n...\n[..] listening on 127.0.0.1:4001\n$ {get}\nKey not found\n$ {get} --addr 127.0.0.1:4002 || true\n[..]\n...\n",
            server("6")
        ),
    );
}

fn a_planted_wrong_output_is_caught() {
    assert_caught("1", "$ echo crab\nlobster\n", "it printed\ncrab");
    assert_caught("1", "$ true\nlobster\n", "neither it nor a job in the background printed");
    assert_caught("1", "$ echo crab\n", "it printed\ncrab");
    assert_caught("1", "$ printf '1\\n2\\n'\n2\n1\n", "it printed\n1\n2");
    assert_caught("1", "$ echo 'crab\n", "unexpected EOF");
    assert_caught("1", "$ exit\n", "the shell has ended");
}

fn a_planted_server_that_does_not_start_is_caught() {
    let started =
        "$ cargo run --features stage-1 --bin kvs-server -- --engine sled &\n[..] listening[..]\n";
    assert_caught("1", started, "there is no `sled` here");
    assert_caught("2", &server("1"), "the block says stage 2");
}

fn a_planted_answer_to_a_client_that_should_wait_is_caught() {
    let get = "cargo run --features stage-3 --bin kvs-client get k";
    let session =
        format!("{}$ nc 127.0.0.1 4000 &\n$ {get} &\n$ kill %2\nKey not found\n", server("3"));
    assert_caught("3", &session, "it printed\nKey not found");
}

fn a_planted_output_of_a_block_that_is_not_run_is_caught() {
    for (block, found) in [
        ("$ cargo bench\n$ cd kvs\n", 0),
        ("$ cargo run\nhello\n", 1),
        ("$ rm -r kvs\n", 1),
        ("cargo bench\n", 1),
    ] {
        let document = Document::parse("t.md", format!("```console\n{block}```\n"));
        assert_eq!(super::not_plain(&document).len(), found, "{block}");
    }
}

pub fn tests() -> Vec<Trial> {
    use crate::expected::tests::*;
    use programs::tests::*;
    use script::tests::*;
    crate::tests![
        a_line_matches_its_pattern,
        a_planted_other_line_does_not_match,
        dots_stand_for_any_number_of_lines,
        a_cargo_command_names_a_program_its_stage_and_its_arguments,
        a_planted_command_that_cargo_would_refuse_is_refused,
        a_planted_server_of_another_stage_is_refused,
        a_block_becomes_its_commands_with_their_output,
        the_words_of_the_shell_are_told_from_output,
        a_session_talks_to_the_server_that_it_started,
        final_is_a_stage_too,
        a_client_that_waits_gets_its_answer_when_the_idle_one_is_gone,
        idle_clients_of_a_loop_are_connected_before_the_next_command,
        a_session_has_netcat_pipes_and_variables,
        a_server_is_started_again_on_the_same_data,
        a_job_that_was_killed_tells_its_exit_status_in_the_same_line,
        several_ports_are_told_apart,
        a_planted_wrong_output_is_caught,
        a_planted_server_that_does_not_start_is_caught,
        a_planted_answer_to_a_client_that_should_wait_is_caught,
        a_planted_output_of_a_block_that_is_not_run_is_caught,
    ]
}
