//! Copies of a store that is in use, made as `final/README.md` says: its manifest before its segments.

use super::*;
use std::sync::atomic::AtomicUsize;

/// Of each store.
const COPIES: usize = 10;
const KEYS: usize = 40;

/// Each key is set twice and then removed, again and again; but the first one is never removed.
fn value(number: usize) -> Option<String> {
    let value = || format!("{number} {}", "v".repeat(number % 90));
    (number / KEYS % 3 < 2 || number.is_multiple_of(KEYS)).then(value)
}

/// Whether the copy holds what so many writes make, for one of these numbers of writes.
fn is_a_moment(copy: &KvStore, least: usize, most: usize) -> bool {
    let found = (0..KEYS).map(|key| copy.get(key.to_string()).unwrap());
    let (found, mut model) = (found.collect::<Vec<_>>(), vec![None; KEYS]);
    (least - KEYS..most).any(|number| {
        model[number % KEYS] = value(number);
        number + 1 >= least && model == found
    })
}

fn sh(script: &str, from: &Path, to: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args([from, to]).stderr(Stdio::null());
    // It fails if a segment vanishes; what was copied must not be taken for a store then.
    command.status().unwrap();
}

/// Copies the store in `dir` some times while it is written to. Returns how many copies were refused.
fn copy_under_load(store: &KvStore, dir: &Path, run: Run) -> Result<u64, String> {
    // `SeqCst`: what is counted was acknowledged.
    let (writes, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let acknowledged = || writes.load(Ordering::SeqCst);
    let go_on = || {
        let before = acknowledged();
        until("it is written", || acknowledged() > before + KEYS);
    };
    let copy = || {
        go_on();
        let copy = TempDir::new().unwrap();
        if run.injects("a segment copied before the manifest") {
            sh(r#"cp $(ls "$1"/*.seg | tail -1) "$2""#, dir, copy.path());
            go_on();
        }
        let least = acknowledged();
        sh(r#"cp "$1/engine" "$1/MANIFEST" "$2"; cp -n "$1"/*.seg "$2""#, dir, copy.path());
        // One may be under way.
        let most = acknowledged() + 1;
        match KvStore::open(copy.path()) {
            Ok(copy) if is_a_moment(&copy, least, most) => Ok(0),
            Ok(_) => Err(format!("it is not what {least} to {most} writes make")),
            Err(KvsError::File { .. } | KvsError::Damaged { .. }) => Ok(1),
            Err(other) => Err(other.to_string()),
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let number = acknowledged();
                let key = (number % KEYS).to_string();
                match value(number) {
                    Some(value) => store.set(key, value).unwrap(),
                    None => store.remove(key).unwrap(),
                }
                writes.fetch_add(1, Ordering::SeqCst);
            }
        });
        let refused = (0..COPIES).map(|_| copy()).sum();
        stop.store(true, Ordering::Relaxed);
        refused
    })
}

/// At each level of durability.
pub(crate) fn is_refused_or_a_moment(run: Run) -> Outcome {
    let (mut copies, mut refused, mut compactions) = (0, 0, 0);
    for _ in 0..run.pick(20, 20) {
        for level in
            [Durability::Always, Durability::Interval(Duration::from_millis(5)), Durability::Os]
        {
            let dir = TempDir::new().unwrap();
            let options = KvStoreOptions::new().durability(level).segment_bytes(50_000);
            let store = options.compact_at(100_000).open(dir.path()).unwrap();
            refused += copy_under_load(&store, dir.path(), run)?;
            copies += COPIES as u64;
            compactions += store.stats().compactions;
        }
    }
    if refused == copies {
        // How many are depends on how long a copy takes: on a machine that is busy, most.
        return Err("every copy is refused".to_owned());
    }
    Ok(vec![
        count(copies, "copies", 0),
        count(refused, "of them refused", 0),
        count(compactions, "compactions meanwhile", run.pick(100, 100)),
    ])
}
