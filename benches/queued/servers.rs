//! The servers of the stage that the feature picks, and how many threads they are given.

#[cfg(from_stage = "5")]
use kvs::thread_pool::{RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use kvs::{KvStore, KvsServer};
use std::net::SocketAddr;
use tempfile::TempDir;

/// A server of the stage, on a thread of its own, with a store in a directory of its own.
pub struct Server {
    pub addr: SocketAddr,
    #[cfg(from_stage = "5")]
    stop: kvs::ServerHandle,
    #[cfg(from_stage = "5")]
    running: Option<std::thread::JoinHandle<kvs::Result<()>>>,
    _dir: TempDir,
}

/// How many threads the server's pool is given: 1, 2, and every even number up to twice the cores.
#[cfg(from_stage = "5")]
pub fn threads() -> Vec<u32> {
    let most = 2 * num_cpus::get() as u32;
    [1].into_iter().chain((2..=most).step_by(2)).collect()
}

/// How many threads the server's pool has; this stage's cannot be told.
#[cfg(not(from_stage = "5"))]
pub fn threads() -> Vec<u32> {
    vec![num_cpus::get() as u32]
}

#[cfg(from_stage = "5")]
pub fn queue(threads: u32) -> Server {
    let dir = TempDir::new().unwrap();
    start::<_, SharedQueueThreadPool>(KvStore::open(dir.path()).unwrap(), dir, threads)
}

#[cfg(from_stage = "5")]
pub fn rayon(threads: u32) -> Server {
    let dir = TempDir::new().unwrap();
    start::<_, RayonThreadPool>(KvStore::open(dir.path()).unwrap(), dir, threads)
}

#[cfg(from_stage = "5")]
pub fn sled(threads: u32) -> Server {
    let dir = TempDir::new().unwrap();
    start::<_, RayonThreadPool>(kvs::SledKvsEngine::open(dir.path()).unwrap(), dir, threads)
}

#[cfg(from_stage = "5")]
fn start<E: kvs::KvsEngine, P: ThreadPool + Send + 'static>(
    engine: E,
    dir: TempDir,
    threads: u32,
) -> Server {
    let pool = P::new(threads).unwrap();
    let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), engine, pool).unwrap();
    let (addr, stop) = (server.local_addr().unwrap(), server.handle());
    let running = Some(std::thread::spawn(move || server.run()));
    Server { addr, stop, running, _dir: dir }
}

#[cfg(from_stage = "5")]
impl Drop for Server {
    fn drop(&mut self) {
        self.stop.shutdown();
        if let Some(running) = self.running.take() {
            running.join().unwrap().unwrap();
        }
    }
}

/// This stage's server has one kind of pool and cannot be stopped from code: it runs until the bench
/// ends.
#[cfg(not(from_stage = "5"))]
pub fn queue(_threads: u32) -> Server {
    let dir = TempDir::new().unwrap();
    let engine = KvStore::open(dir.path()).unwrap();
    let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), engine).unwrap();
    let addr = server.local_addr().unwrap();
    std::thread::spawn(move || server.run());
    Server { addr, _dir: dir }
}
