use crate::Limits;
use std::time::Duration;
use structopt::StructOpt;

/// What a server takes from its clients.
#[derive(Debug, StructOpt)]
pub(crate) struct LimitOptions {
    /// The longest request in bytes, with its newline; 16M by default. K, M and G are understood
    #[structopt(long, value_name = "BYTES", parse(try_from_str = parse_bytes))]
    max_request: Option<usize>,
    /// The longest key in bytes; 65535 by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = parse_bytes))]
    max_key: Option<usize>,
    /// The longest value in bytes; 16M by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = parse_bytes))]
    max_value: Option<usize>,
    /// Bytes of requests that have arrived in part and of answers that nobody took yet, of all
    /// connections together; 256M by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = parse_bytes))]
    max_buffered: Option<usize>,
    /// Connections at a time; 10000 by default
    #[structopt(long, value_name = "N", parse(try_from_str = parse_count))]
    max_connections: Option<usize>,
    /// Jobs that the pool has at a time; as many as it has threads by default
    #[structopt(long, value_name = "N", parse(try_from_str = parse_count))]
    max_jobs: Option<usize>,
    /// How long a request may take to arrive; 30 by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = parse_time))]
    request_timeout: Option<Duration>,
    /// How long a client may take to accept an answer; 30 by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = parse_time))]
    answer_timeout: Option<Duration>,
    /// How long a connection may be idle; for ever by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = parse_time))]
    idle_timeout: Option<Duration>,
}

impl LimitOptions {
    /// The limits for a server whose pool has so many threads.
    pub(crate) fn limits(&self, threads: u32) -> Limits {
        let default = Limits::default();
        Limits {
            request_bytes: self.max_request.unwrap_or(default.request_bytes),
            key_bytes: self.max_key.unwrap_or(default.key_bytes),
            value_bytes: self.max_value.unwrap_or(default.value_bytes),
            buffered_bytes: self.max_buffered.unwrap_or(default.buffered_bytes),
            connections: self.max_connections.unwrap_or(default.connections),
            jobs: self.max_jobs.unwrap_or(threads as usize),
            request_time: self.request_timeout.unwrap_or(default.request_time),
            answer_time: self.answer_timeout.unwrap_or(default.answer_time),
            idle_time: self.idle_timeout.or(default.idle_time),
        }
    }
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1 << 10),
        None => match text.strip_suffix(['m', 'M']) {
            Some(number) => (number, 1 << 20),
            None => match text.strip_suffix(['g', 'G']) {
                Some(number) => (number, 1 << 30),
                None => (text, 1),
            },
        },
    };
    let bytes = number.parse().ok().and_then(|number: usize| number.checked_mul(unit));
    bytes.ok_or_else(|| format!("`{text}` is no number of bytes, such as 1000, 64K or 16M"))
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(format!("`{text}` is no number from 1 on")),
    }
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match time {
        Some(time) if time >= Duration::from_millis(1) => Ok(time),
        _ => Err(format!("`{text}` is no time in seconds, such as 30 or 0.5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_people_write_them() {
        assert_eq!(parse_bytes("1000"), Ok(1000));
        assert_eq!(parse_bytes("64K"), Ok(64 << 10));
        assert_eq!(parse_bytes("16m"), Ok(16 << 20));
        assert_eq!(parse_bytes("2G"), Ok(2 << 30));
        assert_eq!(parse_time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_count("1"), Ok(1));
        for wrong in ["", "K", "-1", "1.5", "1KB", "99999999999999G"] {
            assert!(parse_bytes(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
        for wrong in ["", "0", "-1", "soon", "inf", "NaN", "0.0001"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        assert!(parse_count("0").is_err());
    }
}
