use super::quantity::{COUNT, Quantity, RATE, TIME};
use super::records::Records;
use super::{check, expression, quantity, records, scan};
use crate::markdown::Document;
use libtest_mimic::Trial;

/// What is wrong with a text, without the lines.
fn findings(text: &str) -> Vec<String> {
    let value = |path: &str, value, dimension| (path.to_owned(), Quantity::new(value, dimension));
    let records = Records::of([
        value("r/new", 3_240.0, RATE),
        value("r/old", 1_000.0, RATE),
        value("r/wait", 0.000_012, TIME),
        value("r/share", 0.4, COUNT),
    ]);
    let document = Document::parse("t.md", text);
    let all = 0..document.blocks.len();
    check(&document, all, &records).0.into_iter().map(|finding| finding.words).collect()
}

#[track_caller]
fn assert_true(text: &str) {
    assert_eq!(findings(text), Vec::<String>::new());
}

#[track_caller]
fn assert_caught(text: &str, words: &str) {
    let found = findings(text);
    assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
}

fn numbers_that_are_bound_and_true_are_accepted() {
    assert_true("It is 3.2 times as\nfast.\n<!-- bound: 3.2 times = r/new : r/old -->\n");
    assert_true("- takes 12 µs\n  <!-- bound: 12 µs = r/wait -->\n- more\n");
    assert_true("| a |\n|---|\n| 40 % |\n\n<!-- bound: 40 % = r/share -->\n");
    assert_true("3,240 reads a second\n<!-- bound: 3,240 reads a second = r/new + 0 * r/new -->\n")
}

fn bounds_are_accepted_where_the_text_says_so() {
    assert_true("More than 3 times.\n<!-- bound: 3 times < r/new : r/old -->\n");
    assert_true("less than 20 µs\n<!-- bound: 20 µs > r/wait -->\n");
}

fn settings_and_arithmetic_are_accepted() {
    assert_true(
        "Every 100 ms.\n<!-- bound: 100 ms = setting final/src/kv_store/options.rs \"from_millis(100)\" -->\n",
    );
    assert_true("4,000 ms\n<!-- bound: 4,000 ms = arithmetic 1000 * 8 / 2 -->\n");
}

fn code_and_headings_claim_nothing() {
    assert_true("# In 5 ms\n\n`sleep 3 s`, [a](5-ms.md)\n\n```text\n5 ms\n```\n<!-- 5 ms -->\n");
}

fn a_planted_number_without_a_binding_is_caught() {
    assert_caught("It is 3.2 times as fast.", "`3.2 times` is not bound");
    assert_caught("12 µs\n<!-- bound: 12 µs = r/wait -->\n\n12 µs again.", "`12 µs` is not bound");
    assert_caught("<details><summary>12 µs</summary>\n</details>", "`12 µs` is not bound");
    assert_caught("![Lines, 3 times as high](a.svg)", "`3 times` is not bound");
    assert_caught("5\u{2009}ms and no more", "`5 ms` is not bound");
    // Part of another number.
    let found = findings("3.2 times\n<!-- bound: 2 times = r/new : r/old -->\n");
    assert_eq!(found.len(), 2, "{found:?}");
}

fn a_planted_wrong_number_is_caught() {
    assert_caught("3.3 times\n<!-- bound: 3.3 times = r/new : r/old -->\n", "it is 3.24");
    assert_caught("Over 4 times\n<!-- bound: 4 times < r/new : r/old -->\n", "it is 3.24");
    assert_caught("5 ms\n<!-- bound: 5 ms = arithmetic 2 * 3 -->\n", "it is 6.00");
    assert_caught("5 ms\n<!-- bound: 5 ms = arithmetic 5 -->\n", "follows from nothing");
}

fn a_planted_bound_that_the_text_does_not_tell_is_caught() {
    for words in ["", "no more than ", "moreover "] {
        let text = format!("{words}2 times\n<!-- bound: 2 times < r/new : r/old -->\n");
        assert_caught(&text, "has to stand before");
    }
}

fn a_planted_wrong_unit_is_caught() {
    assert_caught("3,240 ms\n<!-- bound: 3,240 ms = r/new -->\n", "of another unit");
}

fn a_planted_binding_of_nothing_is_caught() {
    assert_caught("Text.\n<!-- bound: 5 ms = r/wait -->\n", "does not stand in the text");
    assert_caught("# A\n<!-- bound: 5 ms = r/wait -->\n", "no text before it");
    assert_caught("5 ms\n<!-- bound: 5 ms = 5 -->\n", "bound to no value");
    let two = "after 5 ms it waits 12 µs\n<!-- bound: 5 ms it waits 12 µs = r/wait -->\n";
    assert_caught(two, "each number is bound by itself");
}

fn a_planted_setting_is_caught() {
    let file = "final/src/kv_store/options.rs";
    let text = |ms: u32, literal: &str| {
        format!("{ms} ms\n<!-- bound: {ms} ms = setting {file} \"{literal}\" -->\n")
    };
    assert_caught(&text(100, "from_millis(200)"), "has not that number in it");
    assert_caught(&text(4321, "from_millis(4321)"), "does not stand in");
}

fn a_table_that_a_program_made_is_left_out() {
    let made =
        "<!-- tables: made from the record -->\n\n| 5 ms |\n|---|\n\n<!-- end of tables -->\n";
    assert_true(made);
    assert_caught(&format!("{made}\n6 ms"), "`6 ms` is not bound");
    assert_caught("<!-- made by hand -->\n\n6 ms\n", "has no end");
}

pub fn tests() -> Vec<Trial> {
    use expression::tests::*;
    use quantity::tests::*;
    use records::tests::*;
    use scan::tests::*;
    crate::tests![
        a_value_is_rounded_to_the_digits_that_the_text_has,
        a_planted_wrong_digit_is_caught,
        a_planted_fourth_digit_is_caught,
        a_value_is_printed_with_three_digits_and_a_unit,
        numbers_with_a_unit_a_factor_or_a_per_cent_are_claims,
        other_spellings_are_claims_as_well,
        rates_are_claims_with_the_noun_between,
        numbers_that_share_a_unit_are_one_claim,
        counts_versions_names_and_ordinals_are_no_claims,
        an_expression_has_the_value_and_dimension_of_its_parts,
        a_planted_mistake_in_an_expression_is_caught,
        values_are_medians_in_base_units,
        each_record_has_its_own_paths_and_units,
        a_planted_path_is_caught_with_those_that_are_near,
        numbers_that_are_bound_and_true_are_accepted,
        bounds_are_accepted_where_the_text_says_so,
        settings_and_arithmetic_are_accepted,
        code_and_headings_claim_nothing,
        a_planted_number_without_a_binding_is_caught,
        a_planted_wrong_number_is_caught,
        a_planted_bound_that_the_text_does_not_tell_is_caught,
        a_planted_wrong_unit_is_caught,
        a_planted_binding_of_nothing_is_caught,
        a_planted_setting_is_caught,
        a_table_that_a_program_made_is_left_out,
    ]
}
