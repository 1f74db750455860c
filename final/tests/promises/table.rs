//! What is promised: for each promise its name, the promise, what shows that it is kept, and the faults
//! that are injected there, with a part of the message by which each must be noticed.

use super::server::needs_strace;
use super::*;
use super::{
    backup, bound, buggy_engine, crowd, directories, failing_disk, kills, linearizable, mapped,
    panics, power_loss, simulated, soak, suites, two_power_losses, vanished,
};
use kvs_test_kit::simulated::damage::HINTS;

/// How the history checker says that something is wrong.
const IMPOSSIBLE: &str = "cannot be: the key may";
/// How it is said of a store that was written to by one client.
const UNEXPECTED: &str = "not one of";

/// What a debug build tries as well, a tenth of each: it takes seconds.
pub(crate) const IN_SMALL: [&str; 8] =
    ["crash", "sigterm", "faults", "damage", "salvage", "backup", "fuzz", "crowd"];

pub(crate) const PROMISES: &[Promise] = &[
    Promise {
        name: "crash",
        promise: "A store answers as a map does, and a crash at any disk operation loses nothing that \
                  was acknowledged at level `always`, and at the others only the last writes",
        needs: &[],
        shown_by: simulated::crashes,
        faults: &[
            ("a disk that lies about its syncs", "crash at change"),
            ("a write that was never done, taken for acknowledged", "never written"),
            ("half of a batch, done without the other", "expected one of"),
        ],
    },
    Promise {
        name: "power-loss",
        promise: "A power loss under load takes nothing that was acknowledged at level `always`, \
                  and nothing that was seen; at level `interval` nothing that was acknowledged \
                  before a sync",
        needs: &[power_loss::needs_ext4],
        shown_by: power_loss::on_ext4,
        faults: &[("level `os`", IMPOSSIBLE), ("syncs that do nothing", IMPOSSIBLE)],
    },
    Promise {
        name: "power-loss-xfs",
        promise: "So it is on XFS as on ext4",
        needs: &[power_loss::needs_xfs],
        shown_by: power_loss::on_xfs,
        faults: &[("level `os`", IMPOSSIBLE)],
    },
    Promise {
        name: "power-loss-twice",
        promise: "What one power loss takes does not come back with the next",
        needs: &[power_loss::needs_ext4],
        shown_by: two_power_losses::take_once,
        faults: &[("a file that is only appended to", "after the second `two`")],
    },
    Promise {
        name: "mapped",
        promise: "Where a device fails under a store that reads through memory maps, reads are right or \
                  errors, and the process goes on",
        needs: &[power_loss::needs_ext4],
        shown_by: mapped::outlives_its_device,
        faults: &[("a device that doesn't fail", "no read failed")],
    },
    Promise {
        name: "kill-at-every-call",
        promise: "`kill -9` of the server at any of its system calls loses nothing that was \
                  acknowledged",
        needs: &[needs_strace],
        shown_by: kills::at_every_call,
        faults: &[("an unanswered write taken for done", UNEXPECTED)],
    },
    Promise {
        name: "kill-under-load",
        promise: "`kill -9` under load loses nothing that was acknowledged or seen, at any level, \
                  and the next open succeeds",
        needs: &[],
        shown_by: kills::under_load,
        faults: &[
            ("a disk that forgets", IMPOSSIBLE),
            ("a server that refuses what it should take", "before the end: the value is"),
        ],
    },
    Promise {
        name: "sigterm",
        promise: "SIGTERM under load: every answer is whole, all that was acknowledged is there, \
                  exit code 0",
        needs: &[],
        shown_by: kills::sigterm,
        faults: &[
            ("a request that was never sent, taken for done", "was acknowledged"),
            ("an answer that came, taken for lost", "has no answer"),
        ],
    },
    Promise {
        name: "faults",
        promise: "A disk error, wherever it comes, is an error and nothing worse",
        needs: &[],
        shown_by: simulated::io_errors,
        faults: &[("an error taken for success", "Fault")],
    },
    Promise {
        name: "full-disk",
        promise: "On a full disk a write is refused with a message, reads go on, and writes resume \
                  when there is space",
        needs: &[failing_disk::needs_mount],
        shown_by: failing_disk::refuses_writes,
        faults: &[("a refused write taken for done", UNEXPECTED)],
    },
    Promise {
        name: "failed-sync",
        promise: "After a sync that failed reads go on, and nothing is written until the store is \
                  opened again",
        needs: &[needs_strace],
        shown_by: failing_disk::stops_writes,
        faults: &[("a refused write taken for done", UNEXPECTED)],
    },
    Promise {
        name: "damage",
        promise: "A flipped bit, a missing end, or anything but zeros behind an end that the \
                  manifest names is refused, with file and offset, and is never answered as data: by \
                  the open, or by the read where a hint has spared the open the values; damage to a \
                  hint is read around; after `kill -9` a flipped bit before the last record is refused, too",
        needs: &[],
        shown_by: simulated::damage,
        faults: &[
            ("damage that no checksum covers", "stranger, Bit 0 was not noticed"),
            ("an end that no manifest names", "stranger, Behind 0 was not noticed"),
            ("a killed store, taken for one after a restart", "expected one of"),
            (HINTS[0], "expected one of"),
            (HINTS[1], "expected one of"),
            (HINTS[2], "expected one of"),
        ],
    },
    Promise {
        name: "salvage",
        promise: "From a damaged store `kvs check --salvage` saves what it does not report as lost, \
                  and nothing that was not written",
        needs: &[],
        shown_by: simulated::salvage,
        faults: &[("a value's bytes, taken for a record", "forged")],
    },
    Promise {
        name: "backup",
        promise: "A copy of a directory in use, its manifest first, is refused, or opens as the store \
                  was at one moment, with all that was acknowledged before the copy began",
        needs: &[],
        shown_by: backup::is_refused_or_a_moment,
        faults: &[("a segment copied before the manifest", "it is not what")],
    },
    Promise {
        name: "fuzz",
        promise: "Whatever bytes a client sends, or have become of a store's files: it is refused, or \
                  answered as by a map",
        needs: &[],
        shown_by: simulated::properties,
        faults: &[
            (
                "a line that is forgotten when its next piece comes",
                "how they are cut must not matter",
            ),
            ("damage with a checksum that fits", "damage has changed an answer"),
        ],
    },
    Promise {
        name: "linearizable-in-process",
        promise: "Operations on a key happen at one moment each, also while compaction runs",
        needs: &[],
        shown_by: linearizable::in_process,
        faults: &[
            (buggy_engine::UNLINKS_FIRST, IMPOSSIBLE),
            (buggy_engine::STALE_READ, IMPOSSIBLE),
            (buggy_engine::LOST_REMOVAL, IMPOSSIBLE),
            (buggy_engine::EARLY_KEY, "which nobody wrote"),
            (buggy_engine::BLIND_SWAP, IMPOSSIBLE),
            (buggy_engine::DELETED_FILE, "entity not found"),
            (buggy_engine::REMOVED_TWICE, IMPOSSIBLE),
            (buggy_engine::LOST_UPDATE, IMPOSSIBLE),
            (buggy_engine::COUNTING_WALK, IMPOSSIBLE),
            (buggy_engine::EARLY_ACKNOWLEDGEMENT, IMPOSSIBLE),
        ],
    },
    Promise {
        name: "linearizable-over-tcp",
        promise: "So they do for the clients of a server, through each of the three pools",
        needs: &[],
        shown_by: linearizable::over_tcp,
        faults: &[(buggy_engine::STALE_READ, IMPOSSIBLE)],
    },
    Promise {
        name: "models",
        promise: "What readers, writers, compactor, pools and connections do to each other is right \
                  in every order that two or three threads can come in",
        needs: &[],
        shown_by: suites::models,
        faults: &[("a key that is found before it is written", "on an `Err` value")],
    },
    Promise {
        name: "one-owner",
        promise: "A directory has one owner: a second server is refused with a message",
        needs: &[],
        shown_by: directories::refuse_second_owners,
        faults: &[("a directory that nobody has", "it is let in")],
    },
    Promise {
        name: "directory-name",
        promise: "What becomes of the directory's name hurts nobody else's data: a store that was moved \
                  goes on where it is, one that was deleted acknowledges nothing at level `always`, \
                  and what has the name now is not touched",
        needs: &[],
        shown_by: directories::are_found_by_no_name,
        faults: &[
            (directories::BY_PATH, "a store that is there refused a write"),
            (directories::NEVER_LOOKS, "a store that was deleted acknowledged a write"),
        ],
    },
    Promise {
        name: "formats",
        promise: "What was written is read by every later version; a later format, a foreign file \
                  and the other engine's directory are refused by name",
        needs: &[],
        shown_by: |run| suites::passed(&["formats"], "", 10, run),
        faults: &[
            ("a golden file that is not as it was", "the checksum does not match"),
            ("a later format that is let in", "unwrap_err()` on an `Ok` value"),
        ],
    },
    Promise {
        name: "crowd",
        promise: "Idle clients cost little memory and no thread, and slow ones keep nobody waiting",
        needs: &[],
        shown_by: crowd::costs_little,
        faults: &[("idle clients that leave something behind", "bytes for an idle connection")],
    },
    Promise {
        name: "clients",
        promise: "Limits hold on both sides; malformed, oversized and slow requests, and a server \
                  out of descriptors or threads, hurt nobody else, and fill neither memory nor log",
        needs: &[],
        shown_by: suites::clients,
        faults: &[
            ("a limit that is one too high", "the key is 5 bytes long; the limit is 4"),
            ("a client that takes what is another's", "one that behaves was disturbed"),
            ("a panic that takes others along", "client 0"),
        ],
    },
    Promise {
        name: "foreign",
        promise: "Text of another protocol, such as a web page can send, ends its connection with an \
                  error, and no request in it is executed",
        needs: &[],
        shown_by: |run| suites::passed(&["foreign"], "", 4, run),
        faults: &[("a server that passes over what is no message", "gets {\"Err\"")],
    },
    Promise {
        name: "vanished",
        promise: "A client that vanishes without a word, idle or with an answer under way, gives its \
                  place back soon after the time of `--keepalive`",
        needs: &[vanished::needs_network],
        shown_by: vanished::give_their_places_back,
        faults: &[("a server that leaves it to the system", "of 21 places 21 are taken")],
    },
    Promise {
        name: "log",
        promise: "A log that nobody takes keeps a server neither from serving nor from its end; lines \
                  that are dropped are counted",
        needs: &[],
        shown_by: |run| suites::passed(&["stderr"], "lines_that_nobody_takes", 5, run),
        faults: &[("a dropped line that is not counted", "of some 2000")],
    },
    Promise {
        name: "patience",
        promise: "`kvs client` and `kvs stats` lose no answer by being stopped, nor by who reads their \
                  output slowly; `kvs bench` ends when its server hangs",
        needs: &[],
        shown_by: |run| suites::passed(&["patience"], "time_in_which", 7, run),
        faults: &[("an answer that never comes", "the server gave no answer within")],
    },
    Promise {
        name: "panics",
        promise: "A job that panics costs that job alone, unless a drop panics meanwhile, and a dropped pool leaves no thread",
        needs: &[],
        shown_by: panics::cost_their_job_alone,
        faults: &[("a pool whose threads die", "too few threads")],
    },
    Promise {
        name: "bound",
        promise: "However fast values are overwritten, embedded or through a server, the disk has at most as \
                  much garbage as live data, four segments of it, what a step of the compactor copies, and a segment of what is being written",
        needs: &[failing_disk::needs_mount],
        shown_by: bound::holds,
        faults: &[("compaction that begins too late", "No space left")],
    },
    Promise {
        name: "soak",
        promise: "Under load without rest neither memory nor descriptors or threads grow",
        needs: &[],
        shown_by: soak::without_growth,
        faults: &[
            ("connections that leak", "more files"),
            ("keys of 4 KiB that leak", "more memory"),
        ],
    },
];
