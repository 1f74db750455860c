//! The table of the power cuts, in Markdown.

use super::{Sample, level};
use crate::conditions::Record;
use crate::samples::thousands;

pub(crate) fn markdown(record: &Record<Sample>) -> String {
    let c = &record.conditions;
    let mut text = format!(
        "{}, {} cores; Linux {}; {}, `final` at `{}`.\n\n\
         | engine | setting | on | cuts | acknowledged | lost | did not open |\n\
         |---|---|---|--:|--:|--:|--:|\n",
        c.machine.cpu, c.machine.cores, c.machine.kernel, record.date, c.revision,
    );
    for sample in &record.samples {
        let Sample { engine, file_system, cuts, acknowledged, lost, unopened } = sample;
        let setting = engine.promise(level(*engine)).map_or("", |promise| promise.setting);
        let numbers = [cuts, acknowledged, lost, unopened].map(|number| thousands(*number));
        text += &format!(
            "| {} | {setting} | {file_system} | {} |\n",
            engine.name(),
            numbers.join(" | ")
        );
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insert::insert;
    use crate::report::CUTS;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_table_in_the_text_is_that_of_the_record() {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let record = Record::read(&benches.join("results/peers-cuts.json")).unwrap();
        let text = fs::read_to_string(benches.join("README.md")).unwrap();
        let made = insert(&text, CUTS, &markdown(&record)).unwrap();
        assert!(text == made, "`peers cuts --json RECORD --text benches/README.md` mends it");
        let lines: Vec<&Sample> = record.samples.iter().collect();
        let of = |name: &str| lines.iter().filter(|s| s.engine.name() == name).collect::<Vec<_>>();
        assert!(of("kvs").iter().all(|s| s.lost == 0 && s.unopened == 0));
        assert!(of("sled-flush").iter().any(|s| s.lost > 0), "the cuts have cut nothing off");
    }
}
