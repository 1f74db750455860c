//! Reads through a memory map, for files that are not written any more. All unsafe code of the project is here.
//!
//! A read through a map is a copy, where a positional read is a system call and a copy. The price: where the
//! device fails, or the file was cut short behind our back, no call returns an error. The thread that touches the
//! page gets the signal SIGBUS, which ends a process by default. So there is a handler:
//!
//! ```text
//!  read ── copies from the map ──► the page can't be had: SIGBUS ──► the handler, on the same thread,
//!    ▲                                                               finds the map in SLOTS, notes that it
//!    │                                                               has failed, puts a page of zeros there
//!    └── sees that it has failed, throws the copy away ◄──────────── and returns: the copy goes on
//!        and says false: the caller reads the file itself, and has that call's error
//! ```
//!
//! **The handler touches our maps only.** A fault at any other address goes to the handler that was there before
//! (Rust's own, which tells a stack overflow from other faults, is one), as do other kinds of SIGBUS.
//! **It can't race with an unmap.** Only `read` touches a map, and it borrows the [`Map`], so the thread
//! that is in the handler keeps the map from being dropped. **It is async-signal-safe**: it loads and stores
//! atomics and makes one system call.
//!
//! Long reads don't come here (`LONG_READ` in `real.rs`), for the kernel is asked not to read a map ahead.
//!
//! Writes are not mapped. On an ext4 that was shut down, a store into a page that was never touched
//! succeeded without a signal; and the page of zeros would swallow a write, which would then be acknowledged.

#![allow(unsafe_code)]

use nix::libc::{self, c_int, c_void, siginfo_t};
use nix::sys::mman::{self, MapFlags, MmapAdvise, ProtFlags};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::fs::File;
use std::num::NonZeroUsize;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, compiler_fence, fence};

/// How many maps there can be at a time; files beyond that are read without one. The kernel allows a process some
/// 65,000 (`vm.max_map_count`).
const SLOTS: usize = 4096;

/// Where the maps are, for the handler, which may not take a lock.
static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];

/// What had the signal before us, and the size of a page. None if the handler could not be installed.
static INSTALLED: OnceLock<Option<(SigAction, usize)>> = OnceLock::new();

struct Slot {
    /// Whether a map has it. `Acquire` and `Release` hand the slot from one map to the next.
    taken: AtomicBool,
    /// The addresses of the map. The threads that matter to the handler are readers of this map, and
    /// got it after these were stored: `Relaxed`.
    start: AtomicUsize,
    end: AtomicUsize,
    /// Whether a page of it could not be had. Stored before the page of zeros is in its place (`Release`)
    /// and loaded after the copy (a fence), so a reader that copied such zeros sees it.
    failed: AtomicBool,
}

impl Slot {
    const fn new() -> Slot {
        let (start, end) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Slot { taken: AtomicBool::new(false), start, end, failed: AtomicBool::new(false) }
    }

    fn take() -> Option<&'static Slot> {
        let free = |slot: &&Slot| !slot.taken.swap(true, Ordering::Acquire);
        let slot = TABLE.iter().find(free)?;
        slot.failed.store(false, Ordering::Relaxed);
        Some(slot)
    }

    fn release(&self) {
        self.end.store(0, Ordering::Relaxed);
        self.taken.store(false, Ordering::Release);
    }

    fn contains(&self, address: usize) -> bool {
        (self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed)).contains(&address)
    }
}

/// The first bytes of a file, mapped to be read.
pub(super) struct Map {
    start: NonNull<c_void>,
    len: NonZeroUsize,
    slot: &'static Slot,
}

// SAFETY: it owns its range of addresses, which are only read.
unsafe impl Send for Map {}
// SAFETY: as above; what changes is in atomics.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `len` bytes of a file, which are not written any more. None where that can't be done: the
    /// file is as good without.
    pub(super) fn new(file: &File, len: u64) -> Option<Map> {
        let page = INSTALLED.get_or_init(install).as_ref()?.1;
        let len = NonZeroUsize::new(usize::try_from(len).ok()?)?;
        let slot = Slot::take()?;
        // SAFETY: at an address that the kernel chooses, so nothing else is replaced.
        let mapped =
            unsafe { mman::mmap(None, len, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) };
        let Ok(start) = mapped else {
            slot.release();
            return None;
        };
        // Without it a read of one value from the device brings its neighbours along; it may fail.
        // SAFETY: the range is ours, and only its way of being read ahead changes.
        let _ = unsafe { mman::madvise(start, len.get(), MmapAdvise::MADV_RANDOM) };
        let address = start.as_ptr().addr();
        slot.start.store(address, Ordering::Relaxed);
        slot.end.store(address + len.get().next_multiple_of(page), Ordering::Relaxed);
        Some(Map { start, len, slot })
    }

    /// Fills `buffer` from `offset` on, if that is within the map and all of it could be had. Otherwise it returns
    /// false; after a failure it always does.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> bool {
        let is_within = |start: &usize| {
            start.checked_add(buffer.len()).is_some_and(|end| end <= self.len.get())
        };
        let Some(start) = usize::try_from(offset).ok().filter(is_within) else { return false };
        if self.slot.failed.load(Ordering::Relaxed) {
            return false;
        }
        // SAFETY: the source is within the map, which `self` keeps; the target is memory of its own. Bytes that
        // another process changes meanwhile are garbage here, as they would be in a positional read: no
        // reference to them exists, and the checksum of what was copied is checked.
        unsafe {
            let source = self.start.as_ptr().cast::<u8>().add(start);
            ptr::copy_nonoverlapping(source, buffer.as_mut_ptr(), buffer.len());
        }
        // The handler may have run on this thread in the middle of the copy, or on another one before.
        compiler_fence(Ordering::SeqCst);
        fence(Ordering::Acquire);
        !self.slot.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.slot.end.store(0, Ordering::Relaxed);
        // SAFETY: the range is this map's, and no reader has it any more. If it fails, the addresses stay taken.
        if unsafe { mman::munmap(self.start, self.len.get()) }.is_ok() {
            self.slot.release();
        }
    }
}

/// Installs the handler, once in a process. A handler that is installed later by somebody else replaces it.
fn install() -> Option<(SigAction, usize)> {
    let page = rustix::param::page_size();
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
    let ours = SigAction::new(SigHandler::SigAction(on_bus_error), flags, SigSet::empty());
    // SAFETY: the handler does only what a handler may do, and until `INSTALLED` is set there is no map.
    let before = unsafe { sigaction(Signal::SIGBUS, &ours) }.ok()?;
    Some((before, page))
}

extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(Some((before, page))) = INSTALLED.get() else {
        // It came between the two lines of `install`; there was no map, and so it is not about ours.
        return default(SigHandler::SigDfl);
    };
    // SAFETY: the kernel hands over a valid `siginfo_t`; with this code it has an address.
    let address =
        unsafe { ((*info).si_code == libc::BUS_ADRERR).then(|| (*info).si_addr().addr()) };
    let slot = address.and_then(|at| TABLE.iter().find(|slot| slot.contains(at)));
    if let (Some(address), Some(slot), Some(len)) = (address, slot, NonZeroUsize::new(*page)) {
        slot.failed.store(true, Ordering::Release);
        let at = NonZeroUsize::new(address / page * page);
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
        // SAFETY: the page is one of a map that is in the table, and a reader is in it at this moment, this
        // thread; so it isn't unmapped, and nothing else can be at this address.
        if unsafe { mman::mmap_anonymous(at, len, ProtFlags::PROT_READ, flags) }.is_ok() {
            return;
        }
    }
    match before.handler() {
        SigHandler::SigAction(handler) => handler(signal, info, context),
        SigHandler::Handler(handler) => handler(signal),
        other => default(other),
    }
}

/// Leaves the signal to the system: the thread runs into it once more when the handler returns.
fn default(handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: it installs no handler of ours. If it fails, the thread comes back here.
    let _ = unsafe { sigaction(Signal::SIGBUS, &action) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::{env, thread};

    fn file_of(pages: usize) -> (File, u64) {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..pages * 4096).map(|at| (at / 4096) as u8 + 1).collect();
        file.write_all(&bytes).unwrap();
        (file, bytes.len() as u64)
    }

    #[test]
    fn a_map_reads_what_is_within_it_and_leaves_the_rest() {
        let (file, len) = file_of(2);
        let map = Map::new(&file, len - 1).unwrap();
        let mut buffer = [0; 4];
        assert!(map.read(&mut buffer, 4094));
        assert_eq!(buffer, [1, 1, 2, 2]);
        assert!(map.read(&mut buffer, len - 5));
        for behind in [len - 4, len, u64::MAX - 1] {
            assert!(!map.read(&mut buffer, behind), "{behind}");
        }
        assert!(Map::new(&file, 0).is_none());
    }

    #[test]
    fn a_page_that_is_gone_fails_its_map_for_all_readers_and_no_other() {
        let (file, len) = file_of(64);
        let (map, (other, other_len)) = (Map::new(&file, len).unwrap(), file_of(64));
        let other = Map::new(&other, other_len).unwrap();
        file.set_len(len / 2).unwrap();
        let read = |map: &Map| {
            let mut buffer = vec![0; len as usize];
            let is_read = map.read(&mut buffer, 0);
            is_read.then_some(buffer[buffer.len() - 1])
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(read(&map), None));
            }
        });
        // Also what is there still: who reads the file itself finds it.
        assert!(!map.read(&mut [0], 0));
        assert_eq!(read(&other), Some(64));
        drop(map);
        let (again, len) = file_of(64);
        assert_eq!(
            read(&Map::new(&again, len).unwrap()),
            Some(64),
            "in the slot of the map that failed"
        );
    }

    #[test]
    fn a_fault_outside_of_our_maps_ends_the_process() {
        const CHILD: &str = "KVS_FAULT_OUTSIDE";
        if env::var_os(CHILD).is_none() {
            let name = "disk::mapped::tests::a_fault_outside_of_our_maps_ends_the_process";
            let child = Command::new(env::current_exe().unwrap())
                .args(["--exact", name])
                .env(CHILD, "")
                .output()
                .unwrap();
            assert_eq!(child.status.signal(), Some(libc::SIGBUS), "{child:?}");
            return;
        }
        let (file, len) = file_of(1);
        let ours = Map::new(&file, len).unwrap();
        let size = NonZeroUsize::new(len as usize).unwrap();
        // SAFETY: at an address that the kernel chooses.
        let foreign = unsafe {
            mman::mmap(None, size, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0).unwrap()
        };
        file.set_len(0).unwrap();
        assert!(!ours.read(&mut [0], 0));
        // SAFETY: the address is mapped; that its page can't be had is what the test is about.
        let byte = unsafe { foreign.as_ptr().cast::<u8>().read_volatile() };
        unreachable!("{byte}");
    }
}
