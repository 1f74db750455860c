use super::load::Settings;
use crate::KvsError;
use crate::cli::outcome::{Outcome, err_msg};
use hdrhistogram::Histogram;
use rustix::fs::fstat;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io;
use std::time::Duration;

/// What clients saw. Times are in nanoseconds, to three digits.
pub(super) struct Report {
    reads: Histogram<u64>,
    writes: Histogram<u64>,
    /// How long after they were due requests of an open loop were sent.
    pub(super) late: Histogram<u64>,
    /// Requests of an open loop for which there was no time. They are in the histograms.
    pub(super) unsent: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Report {
    pub(super) fn new() -> Outcome<Report> {
        let [reads, writes, late] = [Histogram::new(3)?, Histogram::new(3)?, Histogram::new(3)?];
        Ok(Report { reads, writes, late, unsent: 0, errors: 0, first_error: None })
    }

    pub(super) fn latencies(&mut self, are_reads: bool) -> &mut Histogram<u64> {
        if are_reads { &mut self.reads } else { &mut self.writes }
    }

    /// So many requests failed for the same reason.
    pub(super) fn failed(&mut self, error: &KvsError, requests: u64) {
        self.errors += requests;
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    /// How many requests were answered, failed or left.
    pub(super) fn requests(&self) -> u64 {
        self.reads.len() + self.writes.len() + self.errors
    }

    pub(super) fn add(&mut self, other: &Report) -> Outcome {
        self.reads.add(&other.reads)?;
        self.writes.add(&other.writes)?;
        self.late.add(&other.late)?;
        self.unsent += other.unsent;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error.clone());
        Ok(())
    }

    /// One object.
    pub(super) fn json(&self, settings: &Settings, time: Duration) -> String {
        let fields = self.fields(settings, time).into_iter();
        let fields: Vec<_> = fields.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}\n", fields.join(","))
    }

    /// A line of a table, and the one with the names unless stdout has that.
    pub(super) fn csv(&self, settings: &Settings, time: Duration) -> String {
        let (names, values): (Vec<_>, Vec<_>) = self.fields(settings, time).into_iter().unzip();
        let text = |value: Value| if value.is_null() { String::new() } else { value.to_string() };
        let values: Vec<_> = values.into_iter().map(text).collect();
        let has_names = fstat(io::stdout()).is_ok_and(|stat| stat.st_size > 0);
        let names = if has_names { String::new() } else { names.join(",") + "\n" };
        names + &values.join(",") + "\n"
    }

    fn answered(&self) -> u64 {
        self.reads.len() + self.writes.len() - self.unsent
    }

    fn kinds(&self) -> [(&str, &Histogram<u64>); 3] {
        [("reads", &self.reads), ("writes", &self.writes), ("late", &self.late)]
    }

    /// All that a program may want to know, with its unit.
    fn fields(&self, settings: &Settings, time: Duration) -> Vec<(String, Value)> {
        let (answered, seconds) = (self.answered(), time.as_secs_f64());
        let fields = [
            ("loop", json!(if settings.rate.is_some() { "open" } else { "closed" })),
            ("rate_asked_per_s", json!(settings.rate)),
            ("clients", json!(settings.clients)),
            ("pipeline", json!(settings.pipeline)),
            ("connect_each", json!(settings.connect_each)),
            ("keys", json!(settings.keys)),
            ("value_bytes", json!(settings.value_size)),
            ("read_ratio", json!(settings.read_ratio)),
            ("requests", json!(settings.requests)),
            ("seconds", json!(seconds)),
            ("rate_per_s", json!(answered as f64 / seconds)),
            ("answered", json!(answered)),
            ("errors", json!(self.errors)),
            ("unsent", json!(self.unsent)),
            ("reads", json!(self.reads.len())),
            ("writes", json!(self.writes.len())),
        ];
        let mut fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
        for (kind, times) in self.kinds() {
            let micros =
                micros(times).map(|micros| if times.is_empty() { None } else { Some(micros) });
            let names = ["p50", "p90", "p99", "p99_9", "max"].into_iter().zip(micros);
            fields.extend(names.map(|(name, micros)| (format!("{kind}_{name}_us"), json!(micros))));
        }
        fields
    }

    /// For people.
    pub(super) fn text(&self, settings: &Settings, time: Duration) -> String {
        let Settings { clients, pipeline, keys, value_size, rate, .. } = settings;
        let (answered, seconds) = (self.answered(), time.as_secs_f64());
        let reached = answered as f64 / seconds;
        let asked = match rate {
            Some(rate) => format!("an open loop of {rate} requests/s"),
            None => "a closed loop".to_owned(),
        };
        let each = match settings.connect_each {
            true => "a connection for each request".to_owned(),
            false => format!("{pipeline} under way each"),
        };
        let mut text = format!(
            "{clients} clients in {asked}, {each}, {keys} keys, values of {value_size} bytes\n\
             {answered} requests in {seconds:.2} s: {reached:.0} requests/s\n",
        );
        if rate.is_some_and(|rate| reached < 0.95 * rate) {
            let _ = writeln!(text, "it did not keep up; {} requests were not sent", self.unsent);
        }
        let _ = write!(text, "\n{:>6} {:>10}", "µs", "requests");
        for name in ["p50", "p90", "p99", "p99.9", "max"] {
            let _ = write!(text, " {name:>10}");
        }
        for (kind, times) in self.kinds().into_iter().filter(|(_, times)| !times.is_empty()) {
            let _ = write!(text, "\n{kind:>6} {:>10}", times.len());
            for micros in micros(times) {
                let _ = write!(text, " {micros:>10.1}");
            }
        }
        let _ = writeln!(text, "\nerrors {:>10}", self.errors);
        text
    }

    /// # Errors
    /// If a request failed; in the message of the first.
    pub(super) fn verdict(self) -> Outcome {
        self.first_error
            .map_or(Ok(()), |message| Err(err_msg(format!("the first error: {message}"))))
    }
}

/// The median, the 90th, 99th and 99.9th percentile, and the most, in microseconds.
fn micros(times: &Histogram<u64>) -> [f64; 5] {
    [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| times.value_at_quantile(share) as f64 / 1000.0)
}
