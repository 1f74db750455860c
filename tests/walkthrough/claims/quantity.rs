//! Numbers with a unit, as they stand in a text and as they are measured.

/// What a number counts: how often a second and a byte are factors of it. `(1, 0)` is a time,
/// `(-1, 0)` a rate, `(0, 0)` a count, a factor or a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dimension {
    pub seconds: i8,
    pub bytes: i8,
}

pub const COUNT: Dimension = Dimension { seconds: 0, bytes: 0 };
pub const TIME: Dimension = Dimension { seconds: 1, bytes: 0 };
pub const RATE: Dimension = Dimension { seconds: -1, bytes: 0 };
pub const SIZE: Dimension = Dimension { seconds: 0, bytes: 1 };

/// A value in base units: seconds, bytes, and counts of anything else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    pub value: f64,
    pub dimension: Dimension,
}

impl Quantity {
    pub fn new(value: f64, dimension: Dimension) -> Quantity {
        Quantity { value, dimension }
    }

    /// In words, with three digits and a unit that suits its size.
    pub fn words(self) -> String {
        const TIMES: &[(f64, &str)] = &[(1.0, " s"), (1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns")];
        const SIZES: &[(f64, &str)] = &[(1e9, " GB"), (1e6, " MB"), (1e3, " KB"), (1.0, " B")];
        let Dimension { seconds, bytes } = self.dimension;
        let (units, suffix) = match (seconds, bytes) {
            (1, 0) => (TIMES, String::new()),
            (0, 1) => (SIZES, String::new()),
            (-1, 1) => (SIZES, " a second".to_owned()),
            (-1, 0) => (&[(1.0, "")][..], " a second".to_owned()),
            (0, 0) => (&[(1.0, "")][..], String::new()),
            _ => (&[(1.0, "")][..], format!(" s^{seconds} B^{bytes}")),
        };
        let fits = |unit: &&(f64, &str)| self.value.abs() >= unit.0;
        let (scale, name) = units.iter().find(fits).unwrap_or(&units[units.len() - 1]);
        format!("{}{name}{suffix}", three_digits(self.value / scale))
    }
}

/// A number with three digits, and commas between its thousands.
fn three_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.2e}").parse().unwrap();
    let size = if rounded == 0.0 { 0.0 } else { rounded.abs().log10().floor() };
    let digits = (2 - size as i32).max(0) as usize;
    let plain = format!("{rounded:.digits$}");
    let (whole, fraction) = plain.split_once('.').map_or((&*plain, ""), |(w, f)| (w, f));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 && digit.is_ascii_digit() && &whole[..at] != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// A number as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Without the commas between thousands.
    pub digits: String,
    pub value: f64,
}

impl Number {
    /// How many of its digits are meant. Zeros at the end of a whole number may be there for its
    /// size only; one of them is taken at its word, so that 100 is not 149.
    fn significant(&self) -> usize {
        let digits = self.digits.replace('.', "");
        let digits = digits.trim_start_matches('0');
        if self.digits.contains('.') {
            return digits.len().max(1);
        }
        digits.trim_end_matches('0').len().max(digits.len().min(2)).max(1)
    }

    /// Compares with a value that was measured, which has to be this number once it is rounded to
    /// as many digits.
    ///
    /// # Errors
    /// What is wrong, in words. More than three digits always is: no measurement is that exact.
    pub fn is_rounded(&self, value: f64) -> Result<(), String> {
        let significant = self.significant();
        if significant > 3 {
            return Err(format!("{} has more than three digits", self.digits));
        }
        let round = |value: f64| format!("{value:.*e}", significant - 1);
        if round(value) == round(self.value) {
            return Ok(());
        }
        Err(format!("it is {}", three_digits(value)))
    }
}

/// The unit of a number in a text: what one of it is in base units, and of what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    pub scale: f64,
    pub dimension: Dimension,
}

impl Unit {
    pub const ONE: Unit = Unit { scale: 1.0, dimension: COUNT };

    /// A measured value as a number of this unit.
    pub fn of(self, quantity: Quantity) -> f64 {
        quantity.value / self.scale
    }
}

pub mod tests {
    use super::*;

    fn number(digits: &str) -> Number {
        Number { digits: digits.to_owned(), value: digits.parse().unwrap() }
    }

    pub fn a_value_is_rounded_to_the_digits_that_the_text_has() {
        for (text, value) in
            [("3.2", 3.249), ("3", 2.51), ("0.56", 0.5551), ("120000", 118_000.0), ("100", 99.6)]
        {
            assert_eq!(number(text).is_rounded(value), Ok(()), "{text}");
        }
    }

    pub fn a_planted_wrong_digit_is_caught() {
        for (text, value) in [("3.2", 3.26), ("3", 3.6), ("100", 130.0), ("2.0", 2.1), ("10", 9.4)]
        {
            assert!(number(text).is_rounded(value).is_err(), "{text}");
        }
    }

    pub fn a_planted_fourth_digit_is_caught() {
        let words = Err("3.241 has more than three digits".to_owned());
        assert_eq!(number("3.241").is_rounded(3.241), words);
    }

    pub fn a_value_is_printed_with_three_digits_and_a_unit() {
        let words = [
            (0.000_001_234, TIME, "1.23 µs"),
            (0.41, TIME, "410 ms"),
            (1_480_432.0, RATE, "1,480,000 a second"),
            (24.0 * 1024.0 * 1024.0, SIZE, "25.2 MB"),
            (1.0, COUNT, "1.00"),
            (0.0, COUNT, "0.00"),
        ];
        for (value, dimension, expected) in words {
            assert_eq!(Quantity::new(value, dimension).words(), expected);
        }
    }
}
