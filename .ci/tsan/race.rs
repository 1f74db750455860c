//! A race, which the sanitizer must find. The lock is of no use to who does not take it.

use std::sync::Mutex;
use std::thread;

static mut COUNT: u64 = 0;
static LOCK: Mutex<()> = Mutex::new(());

#[test]
fn who_does_not_take_the_lock_races() {
    let count = |is_locked: bool| {
        for _ in 0..1_000 {
            let _guard = is_locked.then(|| LOCK.lock().unwrap());
            unsafe { COUNT += 1 };
        }
    };
    let threads = [true, true, false].map(|is_locked| thread::spawn(move || count(is_locked)));
    threads.map(|thread| thread.join().unwrap());
}
