//! A store in a program of one's own, and a counter in it that four threads raise at once:
//! `cargo run -p final --example counter -- DIR`

use kvs_final::{KvStore, KvsEngine, KvsError, Result};
use std::{env, thread};

/// Raises the counter by one, and returns what it is then.
fn raise(store: &KvStore, key: &str) -> Result<u64> {
    loop {
        let seen = store.get(key.to_owned())?;
        let count = seen.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0) + 1;
        match store.compare_and_set(key.to_owned(), seen, Some(count.to_string())) {
            // Another thread has raised it since the `get`.
            Err(KvsError::Mismatch) => {}
            done => return done.map(|()| count),
        }
    }
}

fn main() -> Result<()> {
    let store = KvStore::open(env::args().nth(1).unwrap_or("counter".to_owned()))?;
    let before = store.get("visits".to_owned())?;
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| (0..1_000).try_for_each(|_| raise(&store, "visits").map(drop)))
        });
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    println!("from {before:?} to {:?}", store.get("visits".to_owned())?);
    Ok(())
}
