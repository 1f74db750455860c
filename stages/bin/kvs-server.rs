//! The server of the stage that the feature picks.

fn main() -> std::process::ExitCode {
    kvs::cli::server()
}
