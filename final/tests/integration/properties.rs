//! What holds of bytes from outside, whatever they are: on inputs that are generated. `fuzz` among the
//! promises tries many more, and that each property notices a fault.

use kvs_test_kit::properties::PROPERTIES;

/// How many inputs are tried, and how many different things they come across at least: what is answered,
/// and each reason for which something is refused. (What a fuzzer had kept in a thousand inputs came
/// across 34, 4, 12 and 32.)
const TRIED: [(u64, usize); 4] = [(5_000, 30), (2_000, 7), (1_000, 13), (60, 30)];

#[test]
fn whatever_comes_from_outside_is_refused_or_answered_as_by_a_map() {
    for (property, (inputs, different)) in PROPERTIES.iter().zip(TRIED) {
        let reached = property.holds(0, inputs, "");
        println!("{}: {} different of {inputs}: {reached:#?}", property.name, reached.len());
        assert!(reached.len() >= different, "{}: only {}", property.name, reached.len());
    }
}
