//! Another race, which the sanitizer must find: to let go of an `Arc` that others still have puts nobody
//! in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

static mut COUNT: u64 = 0;
static IS_FIRST_DONE: AtomicBool = AtomicBool::new(false);

#[test]
fn to_let_go_of_an_arc_puts_nobody_in_order() {
    let kept = Arc::new(());
    let (one, other) = (Arc::clone(&kept), Arc::clone(&kept));
    let first = thread::spawn(move || {
        unsafe { COUNT += 1 };
        drop(one);
        IS_FIRST_DONE.store(true, Ordering::Relaxed);
    });
    let second = thread::spawn(move || {
        while !IS_FIRST_DONE.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        drop(other);
        unsafe { COUNT += 1 };
    });
    [first, second].map(|thread| thread.join().unwrap());
    drop(kept);
}
