//! Server and client in one program.

fn main() -> std::process::ExitCode {
    kvs_final::cli::kvs()
}
