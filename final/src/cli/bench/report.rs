use crate::KvsError;
use crate::cli::args::BenchArgs;
use crate::cli::outcome::{Outcome, err_msg};
use hdrhistogram::Histogram;
use std::fmt::Write;
use std::time::Duration;

/// What clients saw.
pub(super) struct Report {
    /// Latencies in nanoseconds, to three digits.
    pub(super) reads: Histogram<u64>,
    pub(super) writes: Histogram<u64>,
    errors: u64,
    first_error: Option<String>,
}

impl Report {
    pub(super) fn new() -> Outcome<Report> {
        let (reads, writes) = (Histogram::new(3)?, Histogram::new(3)?);
        Ok(Report { reads, writes, errors: 0, first_error: None })
    }

    /// So many requests failed for the same reason.
    pub(super) fn failed(&mut self, error: &KvsError, requests: u64) {
        self.errors += requests;
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    /// How many requests were answered or failed.
    pub(super) fn requests(&self) -> u64 {
        self.reads.len() + self.writes.len() + self.errors
    }

    pub(super) fn add(&mut self, other: &Report) -> Outcome {
        self.reads.add(&other.reads)?;
        self.writes.add(&other.writes)?;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error.clone());
        Ok(())
    }

    pub(super) fn text(&self, args: &BenchArgs, time: Duration) -> String {
        let answered = self.reads.len() + self.writes.len();
        let each = match args.connect_each {
            true => "a connection for each request".to_owned(),
            false => format!("{} under way each", args.pipeline()),
        };
        let mut text = format!(
            "{} clients, {each}, {} keys, values of {} bytes\n\
             {answered} requests in {:.2} s: {:.0} requests/s\n\n\
             {:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
            args.clients(),
            args.keys(),
            args.value_size(),
            time.as_secs_f64(),
            answered as f64 / time.as_secs_f64(),
            "µs",
            "requests",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max"
        );
        for (name, latencies) in [("reads", &self.reads), ("writes", &self.writes)] {
            if !latencies.is_empty() {
                let _ = write!(text, "{name:>6} {:>10}", latencies.len());
                let quantiles = [0.5, 0.9, 0.99, 0.999].map(|q| latencies.value_at_quantile(q));
                for nanos in quantiles.into_iter().chain([latencies.max()]) {
                    let _ = write!(text, " {:>10.1}", nanos as f64 / 1000.0);
                }
                text.push('\n');
            }
        }
        let _ = writeln!(text, "errors {:>10}", self.errors);
        text
    }

    /// # Errors
    /// If a request failed; in the message of the first.
    pub(super) fn verdict(self) -> Outcome {
        match self.first_error {
            None => Ok(()),
            Some(message) => Err(err_msg(format!("the first error: {message}"))),
        }
    }
}
