//! As much of `nc` as a session needs: `nc [-N] HOST PORT`.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::thread;

/// Sends what it reads, prints what it gets, and ends when the other side does. With `-N` the other
/// side is told when there is nothing more to send.
pub fn run(args: &[String]) -> ExitCode {
    let tells_the_end = args.first().is_some_and(|arg| arg == "-N");
    let [host, port] = &args[usize::from(tells_the_end)..] else {
        eprintln!("usage: nc [-N] HOST PORT");
        return ExitCode::FAILURE;
    };
    match talk(&format!("{host}:{port}"), tells_the_end) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nc: {error}");
            ExitCode::FAILURE
        }
    }
}

fn talk(addr: &str, tells_the_end: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    let mut sender = stream.try_clone()?;
    thread::spawn(move || {
        // A side that is gone shows when its answers end.
        let _ = io::copy(&mut io::stdin(), &mut sender);
        if tells_the_end {
            let _ = sender.shutdown(Shutdown::Write);
        }
    });
    let mut stdout = io::stdout().lock();
    io::copy(&mut stream, &mut stdout)?;
    stdout.flush()
}
