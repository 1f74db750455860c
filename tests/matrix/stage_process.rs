//! The server of any stage, in a process that can be told to stop its readers or writers.

use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvsEngine, KvsServer, Result as EngineResult};
use kvs_test_kit::engines::Memory;
use kvs_test_kit::wait::happens;
use kvs_test_kit::{Raw, Server, WATCHDOG, process, wait};
use std::env;
use std::io::{BufRead, BufReader, Write, stdin};
use std::ops::Deref;
use std::path::Path;
use std::process::{ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

/// Threads in the pools of those stages that can be told.
pub const THREADS: usize = 4;

/// `final` in front of an engine whose gets wait.
pub const DISTANT: &str = "final, distant";

/// Names the stage in the environment of a process that is to be its server.
const ROLE: &str = "KVS_MATRIX_STAGE";

// ---- inside the process ------------------------------------------------------------------------

/// What the sync points do with a thread that comes by.
#[derive(Default)]
struct Gate {
    order: Mutex<String>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self, point: &str) {
        let mut order = self.order.lock().unwrap();
        if *order == format!("panic {point}") {
            order.clear();
            drop(order);
            panic!("the panic that the matrix asked for");
        }
        let hold = format!("hold {point}");
        if *order == hold {
            println!("held");
            drop(self.changed.wait_while(order, |order| *order == hold).unwrap());
        }
    }

    /// Takes orders from standard input: `hold read`, `hold append`, `panic read`, `release`.
    fn take_orders(&self) {
        for line in stdin().lines().map_while(Result::ok) {
            *self.order.lock().unwrap() = line;
            self.changed.notify_all();
            println!("done");
        }
    }
}

/// An engine whose gets wait for another thread, as for another machine.
#[derive(Clone)]
struct Distant(Memory, Arc<Gate>);

impl KvsEngine for Distant {
    const GETS_WAIT: bool = true;

    fn set(&self, key: String, value: String) -> EngineResult<()> {
        self.0.set(key, value)
    }

    fn get(&self, key: String) -> EngineResult<Option<String>> {
        self.0.get(key)
    }

    fn remove(&self, key: String) -> EngineResult<()> {
        self.0.remove(key)
    }

    fn get_then(
        &self,
        key: String,
        done: impl FnOnce(EngineResult<Option<String>>) + Send + 'static,
    ) {
        let Distant(memory, gate) = self.clone();
        thread::spawn(move || {
            gate.pass("read");
            done(memory.get(key));
        });
    }
}

impl Distant {
    fn serve(self) {
        let pool = SharedQueueThreadPool::new(THREADS as u32).unwrap();
        let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), self, pool).unwrap();
        eprintln!("listening on {}", server.local_addr().unwrap());
        server.run().unwrap();
    }
}

/// In a process that was started to be a stage's server, is that server.
pub fn run_if_asked() -> Option<ExitCode> {
    let stage = env::var(ROLE).ok()?;
    let gate = Arc::new(Gate::default());
    let orders = Arc::clone(&gate);
    thread::spawn(move || orders.take_orders());
    macro_rules! server_of {
        ($library:ident, $points:path) => {{
            use $points as points;
            let installed = points::install(move |point| {
                if point == points::Point::Read {
                    gate.pass("read");
                } else if point == points::Point::Append {
                    gate.pass("append");
                }
            });
            assert!(installed, "the sync points are not compiled in");
            $library::cli::server()
        }};
    }
    Some(match stage.as_str() {
        DISTANT => {
            Distant(Memory::default(), gate).serve();
            ExitCode::SUCCESS
        }
        "0" => server_of!(start, kvs_common::sync_points),
        "1" => server_of!(naive_pool, kvs_common::sync_points),
        "2" => server_of!(shared_engine, kvs_common::sync_points),
        "3" => server_of!(threaded_server, kvs_common::sync_points),
        "4" => server_of!(shared_queue, kvs_common::sync_points),
        "5" => server_of!(rayon_pool, kvs_common::sync_points),
        "6" => server_of!(rwlock, kvs_common::sync_points),
        "7" => server_of!(lock_free, kvs_common::sync_points),
        _ => server_of!(kvs_final, kvs_final::sync_points),
    })
}

// ---- outside -----------------------------------------------------------------------------------

/// The process, seen from the test.
pub struct Stage {
    server: Server,
    orders: ChildStdin,
    said: mpsc::Receiver<String>,
}

impl Deref for Stage {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Stage {
    /// Starts the server of `stage`. From stage 5 on it has [`THREADS`] in its pool. The level of durability
    /// counts where there are any; without the thread that syncs every so often, which never sleeps for long,
    /// it is `os` or `always`.
    pub fn start(stage: &str, durability: &str, dir: &Path) -> Result<Stage, String> {
        let mut command = Command::new(env::current_exe().unwrap());
        command.env(ROLE, stage).stdin(Stdio::piped()).stdout(Stdio::piped());
        if !["0", "1", "2", "3", "4"].contains(&stage) {
            command.args(["--threads", &THREADS.to_string()]);
        }
        if stage == "final" {
            command.args(["--durability", durability]);
        }
        let mut server = Server::start(&mut command, dir)?;
        let orders = server.child.stdin.take().unwrap();
        let lines = BufReader::new(server.child.stdout.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        Ok(Stage { server, orders, said })
    }

    /// Gives the sync points an order; it is in force when this returns.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        while self.said.recv_timeout(WATCHDOG).unwrap() != "done" {}
    }

    /// Waits until a thread is held at a sync point, or cannot be because the server sleeps.
    pub fn holds_one_more(&self) -> bool {
        happens(self.pid(), || self.said.try_recv().is_ok_and(|line| line == "held"))
    }

    /// Waits until `client` has an answer, or cannot get one because the server sleeps or is gone.
    pub fn answers(&self, client: &Raw) -> bool {
        happens(self.pid(), || client.has_answer())
    }

    /// Waits until the server has done all that it can do for now.
    pub fn settle(&self) {
        wait::settle(self.pid());
    }

    /// How many threads the process has.
    pub fn threads(&self) -> usize {
        process::threads(self.pid())
    }

    /// Sends SIGTERM; returns the exit code, if the process ended with one.
    pub fn terminate(self) -> Option<i32> {
        self.server.terminate().0.code()
    }
}
