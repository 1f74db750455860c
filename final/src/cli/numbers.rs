//! Numbers as people write them on a command line.

use std::ops::RangeBounds;
use std::str::FromStr;
use std::time::Duration;

pub(super) fn bytes(text: &str) -> Result<usize, String> {
    bytes_to::<{ usize::MAX }>(text)
}

/// A number of bytes, `MOST` at most.
pub(super) fn bytes_to<const MOST: usize>(text: &str) -> Result<usize, String> {
    let units = [(['k', 'K'], 1 << 10), (['m', 'M'], 1 << 20), (['g', 'G'], 1 << 30)];
    let with_unit = |(letters, unit)| Some((text.strip_suffix(letters)?, unit));
    let (number, unit) = units.into_iter().find_map(with_unit).unwrap_or((text, 1));
    let bytes = number.parse().ok().and_then(|number: usize| number.checked_mul(unit));
    match bytes {
        Some(bytes) if bytes <= MOST => Ok(bytes),
        Some(_) => Err(format!("`{text}` is more than {MOST} bytes")),
        None => Err(format!("`{text}` is no number of bytes, such as 1000, 64K or 16M")),
    }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    number(text, 1.., "number from 1 on")
}

/// A number from 1 to `MOST`.
pub(super) fn count_to<const MOST: usize>(text: &str) -> Result<usize, String> {
    number(text, 1..=MOST, &format!("number from 1 to {MOST}"))
}

pub(super) fn ratio(text: &str) -> Result<f64, String> {
    number(text, 0.0..=1.0, "number from 0 to 1")
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.001..=1e9, "number of requests a second from 0.001 to 1e9, such as 1000 or 0.5")
}

/// A number in a range.
fn number<T: FromStr + PartialOrd>(
    text: &str,
    range: impl RangeBounds<T>,
    what: &str,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("`{text}` is no {what}"))
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
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
        for (text, expected) in
            [("1000", 1000), ("64K", 64 << 10), ("16m", 16 << 20), ("2G", 2 << 30)]
        {
            assert_eq!(bytes(text), Ok(expected));
        }
        for wrong in ["", "K", "-1", "1.5", "1KB", "99999999999999G"] {
            assert!(bytes(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
        assert_eq!(bytes_to::<1024>("1K"), Ok(1024));
        assert_eq!(time("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "0", "-1", "soon", "inf", "NaN", "0.0001"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!((count("1"), count_to::<2>("2")), (Ok(1), Ok(2)));
    }
}
