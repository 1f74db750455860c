//! The table.

use super::row::Row;
use super::{
    broken, cuts, fuzzed, killed, kills, linearizable, owners, pools, simulated, soak, suites,
    twice,
};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "crash",
        promise: "A crash at any disk operation loses nothing that was acknowledged at level \
                  `always`, and at the others only the last writes",
        show: simulated::crashes,
        planted: &[(
            "a disk that lies about its syncs",
            simulated::crashes_of_a_disk_that_lies,
            "crash at change",
        )],
    },
    Row {
        name: "power-cut",
        promise: "A power cut under load loses nothing that was acknowledged at level `always`, \
                  and nothing that was seen; at level `interval` nothing that was acknowledged \
                  before a sync",
        show: cuts::of_the_store,
        planted: &[
            ("sled with its plain `flush`", cuts::of_plain_sled, "cannot be: the key may"),
            ("level `os`", cuts::of_the_store_at_level_os, "cannot be: the key may"),
            ("syncs that do nothing", cuts::of_syncs_that_do_nothing, "cannot be: the key may"),
        ],
    },
    Row {
        name: "power-cut-xfs",
        promise: "So it is on XFS as on ext4",
        show: cuts::of_the_store_on_xfs,
        planted: &[("level `os`", cuts::of_the_store_at_level_os_on_xfs, "cannot be: the key may")],
    },
    Row {
        name: "power-cut-twice",
        promise: "What one power cut takes does not come back with the next",
        show: twice::of_the_store,
        planted: &[("a file that is only appended to", twice::of_a_plain_file, "the second `two`")],
    },
    Row {
        name: "kill-at-every-call",
        promise: "`kill -9` of the server at any of its system calls loses nothing that was \
                  acknowledged",
        show: kills::at_every_call,
        planted: &[(
            "an unanswered write taken for done",
            kills::unanswered_taken_for_done,
            "not one of",
        )],
    },
    Row {
        name: "kill-under-load",
        promise: "`kill -9` under load loses nothing that was acknowledged or seen, at any level, \
                  and the next open succeeds",
        show: killed::under_load,
        planted: &[
            ("a disk that forgets", killed::on_a_disk_that_forgets, "cannot be: the key may"),
            (
                "a server that refuses what it should take",
                killed::although_it_refuses,
                "before the end: the value is",
            ),
        ],
    },
    Row {
        name: "sigterm",
        promise: "SIGTERM under load: every answer is whole, all that was acknowledged is there, \
                  exit code 0",
        show: suites::stops,
        planted: &[
            (
                "a request that was never sent, taken for done",
                suites::stops_with_more,
                "was acknowledged",
            ),
            ("an answer that came, taken for lost", suites::stops_with_less, "has no answer"),
        ],
    },
    Row {
        name: "faults",
        promise: "A disk error, wherever it comes, is an error and nothing worse",
        show: simulated::faults,
        planted: &[("an error taken for success", simulated::faults_taken_for_success, "Fault")],
    },
    Row {
        name: "full-disk",
        promise: "On a full disk a write is refused in words, reads go on, and writes resume when \
                  there is space",
        show: broken::on_a_full_disk,
        planted: &[(
            "a refused write taken for done",
            broken::refused_taken_for_done,
            "not one of",
        )],
    },
    Row {
        name: "failed-sync",
        promise: "After a sync that failed reads go on, and nothing is written until the store is \
                  opened again",
        show: broken::after_a_failed_sync,
        planted: &[(
            "a refused write taken for done",
            broken::refused_after_it_taken_for_done,
            "not one of",
        )],
    },
    Row {
        name: "damage",
        promise: "A flipped bit or a missing end is refused, with file and offset, and is never \
                  answered as data",
        show: simulated::damage,
        planted: &[(
            "damage that no checksum covers",
            simulated::damage_that_no_checksum_covers,
            "stranger, bit 0 was not noticed",
        )],
    },
    Row {
        name: "fuzz",
        promise: "Whatever bytes a client sends, are in a segment, or have become of a store's \
                  files, and whatever a store is asked: it is refused, or answered as by a map",
        show: fuzzed::all,
        planted: &[
            (
                "a line that is forgotten when its next piece comes",
                fuzzed::although_forgotten,
                "how they are cut must not matter",
            ),
            (
                "a record's checksum that always fits",
                fuzzed::although_the_record_is_mended,
                "a flipped bit is noticed",
            ),
            (
                "a disk that lies about its syncs",
                fuzzed::on_a_disk_that_lies,
                "whatever was acknowledged is whole",
            ),
            (
                "damage with a checksum that fits",
                fuzzed::although_mended,
                "damage has changed an answer",
            ),
        ],
    },
    Row {
        name: "linearizable-in-process",
        promise: "Operations on a key happen at one moment each, also while compaction runs",
        show: linearizable::in_process,
        planted: &[
            ("an index that unlinks first", linearizable::with::<0>, "cannot be: the key may"),
            ("a stale read", linearizable::with::<1>, "cannot be: the key may"),
            ("a lost removal", linearizable::with::<2>, "cannot be: the key may"),
            ("a key published before its bytes", linearizable::with::<3>, "which nobody wrote"),
            (
                "compaction without compare-and-swap",
                linearizable::with::<4>,
                "cannot be: the key may",
            ),
            ("a file deleted under a reader", linearizable::with::<5>, "entity not found"),
            ("a value removed twice", linearizable::with::<6>, "cannot be: the key may"),
            ("an early acknowledgement", linearizable::with::<7>, "cannot be: the key may"),
        ],
    },
    Row {
        name: "linearizable-over-tcp",
        promise: "So they do for the clients of a server, through each of the three pools",
        show: linearizable::through_each_pool,
        planted: &[(
            "an engine with a stale read",
            linearizable::stale_over_tcp,
            "cannot be: the key may",
        )],
    },
    Row {
        name: "models",
        promise: "What readers, writers, compactor, pools and connections do to each other is right \
                  in every order that two or three threads can come in",
        show: suites::models,
        planted: &[(
            "a key that is found before it is written",
            suites::model_with_a_fault,
            "on an `Err` value",
        )],
    },
    Row {
        name: "one-owner",
        promise: "A directory has one owner: a second server is refused in words",
        show: owners::of_a_directory_in_use,
        planted: &[("a directory that nobody has", owners::of_another_directory, "it is let in")],
    },
    Row {
        name: "formats",
        promise: "What was written is read by every later version; a later format, a foreign file \
                  and the other engine's directory are refused by name",
        show: suites::formats,
        planted: &[
            (
                "a golden file that is not as it was",
                suites::formats_of_another_golden_file,
                "the checksum does not match",
            ),
            (
                "a later format that is let in",
                suites::formats_that_are_let_in,
                "unwrap_err()` on an `Ok` value",
            ),
        ],
    },
    Row {
        name: "crowd",
        promise: "Idle clients cost little memory and no thread, and slow ones keep nobody waiting",
        show: suites::crowd,
        planted: &[(
            "idle clients that leave something behind",
            suites::crowd_that_leaves_something,
            "bytes for an idle connection",
        )],
    },
    Row {
        name: "clients",
        promise: "Limits hold on both sides; malformed, oversized and slow requests, and a server \
                  out of descriptors or threads, hurt nobody else",
        show: suites::clients,
        planted: &[
            (
                "a limit that is one too high",
                suites::clients_with_a_wrong_limit,
                "the key is 5 bytes long; the limit is 4",
            ),
            (
                "a client that takes what is another's",
                suites::clients_that_disturb,
                "the one that behaves was disturbed",
            ),
            ("a panic that takes others along", suites::clients_that_panic_together, "client 0"),
        ],
    },
    Row {
        name: "panics",
        promise: "A job that panics costs that job alone, and a dropped pool leaves no thread",
        show: pools::of_each,
        planted: &[("a pool whose threads die", pools::of_one_whose_threads_die, "threads are")],
    },
    Row {
        name: "soak",
        promise: "Under load without rest neither memory nor descriptors, threads or disk grow",
        show: soak::without_growth,
        planted: &[
            ("connections that leak", soak::of_connections_that_leak, "more files"),
            ("4 KiB that leak with each connection", soak::of_memory_that_leaks, "more memory"),
        ],
    },
];
