//! How many system calls a server makes, as `strace` counts them.

use crate::Outcome;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long strace may take to write its table.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same command, counted. With `-D` it is the server that is our child, and not strace.
pub(super) fn counted(command: &Command, table: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-c", "-o"]).arg(table);
    strace.arg(command.get_program()).args(command.get_args());
    strace
}

/// What the table says that a server made, which was ended just now.
pub(super) fn read(table: &Path) -> Outcome<u64> {
    let start = Instant::now();
    loop {
        match total(&fs::read_to_string(table).unwrap_or_default()) {
            Some(calls) => return Ok(calls),
            None if start.elapsed() > PATIENCE => return Err("strace wrote no table".into()),
            None => sleep(Duration::from_millis(5)),
        }
    }
}

/// The column `calls` of the last line.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_with_and_without_errors() {
        let table = "% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           1       200           sendto
 40.00    0.000200           2       100         7 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           1       300         7 total
";
        assert_eq!(total(table), Some(300));
        assert_eq!(total(&table.replace("7 total", "  total")), Some(300));
        assert_eq!(total(&table[..table.len() / 2]), None);
    }
}
