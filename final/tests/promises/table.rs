//! What is promised, and what shows that it is kept: `promises.md` has the promises.

use super::*;
use std::sync::LazyLock;

/// What a debug build tries as well, a tenth of each: it takes seconds.
pub(crate) const IN_SMALL: [&str; 8] =
    ["crash", "sigterm", "faults", "damage", "salvage", "backup", "fuzz", "crowd"];

/// The name of a promise, what it takes that is not everywhere, and what shows that the promise is kept.
type Shown = (&'static str, &'static [Need], fn(Run) -> Outcome);

const SHOWN: [Shown; 30] = [
    ("crash", &[], simulated::crashes),
    ("power-loss", &[power_loss::needs_ext4], power_loss::on_ext4),
    ("power-loss-xfs", &[power_loss::needs_xfs], power_loss::on_xfs),
    ("power-loss-twice", &[power_loss::needs_ext4], two_power_losses::take_once),
    ("mapped", &[power_loss::needs_ext4], mapped::outlives_its_device),
    ("kill-at-every-call", &[needs_strace], kills::at_every_call),
    ("kill-under-load", &[], kills::under_load),
    ("sigterm", &[], kills::sigterm),
    ("faults", &[], simulated::io_errors),
    ("full-disk", &[failing_disk::needs_mount], failing_disk::refuses_writes),
    ("failed-sync", &[needs_strace], failing_disk::stops_writes),
    ("damage", &[], simulated::damage),
    ("salvage", &[], simulated::salvage),
    ("backup", &[], backup::is_refused_or_a_moment),
    ("fuzz", &[], simulated::properties),
    ("linearizable-in-process", &[], linearizable::in_process),
    ("linearizable-over-tcp", &[], linearizable::over_tcp),
    ("models", &[], suites::models),
    ("one-owner", &[], directories::refuse_second_owners),
    ("directory-name", &[], directories::are_found_by_no_name),
    ("formats", &[], |run| suites::passed(&["formats"], "", 5, run)),
    ("crowd", &[], crowd::costs_little),
    ("clients", &[], suites::clients),
    ("foreign", &[], |run| suites::passed(&["foreign"], "", 4, run)),
    ("vanished", &[vanished::needs_network], vanished::give_their_places_back),
    ("log", &[], |run| suites::passed(&["stderr"], "lines_that_nobody_takes", 4, run)),
    ("patience", &[], |run| suites::passed(&["patience"], "time_in_which", 6, run)),
    ("panics", &[], panics::cost_their_job_alone),
    ("bound", &[failing_disk::needs_mount], bound::holds),
    ("soak", &[], soak::without_growth),
];

pub(crate) static PROMISES: LazyLock<Vec<Promise>> = LazyLock::new(|| {
    const TEXT: &str = include_str!("promises.md");
    assert_eq!(TEXT.matches("\n## ").count(), SHOWN.len(), "what is shown is what is promised");
    let promise = |(name, needs, shown_by): Shown| {
        let (_, section) = TEXT.split_once(&format!("\n## {name}\n\n")).unwrap();
        let section = section.split("\n## ").next().unwrap().trim_end();
        let (promise, faults) = section.split_once("\n\n").unwrap();
        let fault = |line: &'static str| {
            let parts = line.strip_prefix("- ").and_then(|line| line.split_once(": "));
            parts.unwrap_or_else(|| panic!("no fault and message of {name}: {line}"))
        };
        let faults = faults.lines().map(fault).collect();
        Promise { name, promise: promise.replace('\n', " "), needs, shown_by, faults }
    };
    SHOWN.map(promise).into()
});
