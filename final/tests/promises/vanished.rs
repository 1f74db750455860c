//! Clients whose machine is gone without a word: they are in a network namespace of their own, at the other
//! end of a pair of virtual links, and their end is set down.

use super::*;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;

const SERVER: &str = "10.66.0.1";
const CLIENTS: &str = "10.66.0.2";
/// Long after `--keepalive 2`, and long before what the system does by itself.
const PATIENCE: Duration = Duration::from_secs(12);

/// Two network namespaces, the server's and the clients', with a link between them.
struct Network([String; 2]);

impl Network {
    fn new() -> Result<Network, String> {
        let names = ["server", "clients"].map(|end| format!("kvs-{}-{end}", std::process::id()));
        // Dropped also when something is missing half-way.
        let network = Network(names);
        let [server, clients] = network.0.each_ref();
        ip(&format!("netns add {server}"))?;
        ip(&format!("netns add {clients}"))?;
        ip(&format!("-n {server} link add kvs type veth peer name kvs netns {clients}"))?;
        for (name, addr) in [(server, SERVER), (clients, CLIENTS)] {
            ip(&format!("-n {name} addr add {addr}/24 dev kvs"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set kvs up"))?;
        }
        Ok(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.0.iter().for_each(|name| drop(ip(&format!("netns del {name}"))));
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    run(Command::new("ip").args(arguments.split(' ')))
}

/// Moves this thread, and what it starts from now on.
fn enter(name: &str) -> Result<(), String> {
    let enter = |file: File| {
        let network = Some(LinkNameSpaceType::Network);
        Ok(move_into_link_name_space(file.as_fd(), network)?)
    };
    let entered = File::open(format!("/run/netns/{name}")).and_then(enter);
    entered.map_err(|error| format!("network namespace {name}: {error}"))
}

/// On a thread of its own, which may move.
fn apart<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// Whether there can be such namespaces here.
pub(crate) fn needs_network() -> Result<(), String> {
    apart(|| enter(&Network::new()?.0[0]))
}

/// Half of them are idle, and half have just asked.
pub(crate) fn give_their_places_back(run: Run) -> Outcome {
    const HALF: usize = 10;
    let network = Network::new()?;
    let [inside, outside] = network.0.each_ref();
    let keepalive = if run.injects("a server that leaves it to the system") { "7200" } else { "2" };
    let options = ["--keepalive", keepalive, "--answer-timeout", "2", "--max-connections", "21"];
    apart(|| {
        enter(inside)?;
        let dir = TempDir::new().unwrap();
        let server = kvs_server_at(&format!("{SERVER}:0"), &options, dir.path());
        let mut witness = server.connect();
        let connect = |addr: SocketAddr| {
            let mut client = Raw::connect(addr);
            assert_eq!(client.ask(GET), NOTHING);
            client
        };
        let mut clients: Vec<Raw> = apart(|| {
            enter(outside)?;
            Ok((0..2 * HALF).map(|_| connect(server.addr)).collect())
        })?;
        // What it answers finds nobody any more.
        server.signal("-STOP");
        clients[..HALF].iter_mut().for_each(|client| client.send_line(GET));
        ip(&format!("-n {outside} link set kvs down"))?;
        server.signal("-CONT");
        let since = Instant::now();
        let mut places = 21;
        while places > 1 {
            if since.elapsed() > PATIENCE {
                return Err(format!("of 21 places {places} are taken"));
            }
            thread::sleep(Duration::from_millis(50));
            places = stat(&mut witness, "connections");
        }
        drop(clients);
        Ok(vec![
            count(HALF, "idle clients that vanished", 1),
            count(HALF, "with answers under way", 1),
        ])
    })
}
