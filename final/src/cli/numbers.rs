//! Numbers as people write them on a command line.

use std::time::Duration;

pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let units = [(['k', 'K'], 1 << 10), (['m', 'M'], 1 << 20), (['g', 'G'], 1 << 30)];
    let with_unit = |(letters, unit)| Some((text.strip_suffix(letters)?, unit));
    let (number, unit) = units.into_iter().find_map(with_unit).unwrap_or((text, 1));
    let bytes = number.parse().ok().and_then(|number: usize| number.checked_mul(unit));
    bytes.ok_or_else(|| format!("`{text}` is no number of bytes, such as 1000, 64K or 16M"))
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(format!("`{text}` is no number from 1 on")),
    }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match time {
        Some(time) if time >= Duration::from_millis(1) => Ok(time),
        _ => Err(format!("`{text}` is no time in seconds, such as 30 or 0.5")),
    }
}

pub(super) fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(format!("`{text}` is no number from 0 to 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_people_write_them() {
        assert_eq!(bytes("1000"), Ok(1000));
        assert_eq!(bytes("64K"), Ok(64 << 10));
        assert_eq!(bytes("16m"), Ok(16 << 20));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        assert_eq!(time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(count("1"), Ok(1));
        for wrong in ["", "K", "-1", "1.5", "1KB", "99999999999999G"] {
            assert!(bytes(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
        for wrong in ["", "0", "-1", "soon", "inf", "NaN", "0.0001"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert!(count("0").is_err());
    }
}
