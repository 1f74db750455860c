//! What a number is bound to: a small language over the values of the records.
//!
//! `a/path`, `a/path : another/path` for a ratio, and `+ - * / ( )` with blanks around them.

use super::quantity::{COUNT, Dimension, Quantity};
use super::records::Records;
use super::scan::number;

/// The value of an expression.
///
/// # Errors
/// In words: a path that no record has, an operator without operand, sums of unlike things.
pub fn evaluate(expression: &str, records: &Records) -> Result<Quantity, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser { tokens: spaced.split_whitespace().rev().collect(), records };
    let value = parser.sum()?;
    match parser.tokens.last() {
        Some(token) => Err(format!("`{token}` is not expected in `{expression}`")),
        None => Ok(value),
    }
}

/// Whether it has a value of a record in it.
pub fn has_path(expression: &str) -> bool {
    expression.split_whitespace().any(|token| token.contains('/') && token.len() > 1)
}

struct Parser<'a> {
    /// Those that are left, the next one last.
    tokens: Vec<&'a str>,
    records: &'a Records,
}

impl Parser<'_> {
    fn next_if(&mut self, expected: &[&str]) -> Option<&str> {
        let token = *self.tokens.last()?;
        expected.contains(&token).then(|| self.tokens.pop())?
    }

    fn sum(&mut self) -> Result<Quantity, String> {
        let mut left = self.product()?;
        while let Some(sign) =
            self.next_if(&["+", "-"]).map(|sign| if sign == "+" { 1.0 } else { -1.0 })
        {
            let right = self.product()?;
            if left.dimension != right.dimension {
                return Err(format!("{} and {} do not add up", left.words(), right.words()));
            }
            left.value += sign * right.value;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Quantity, String> {
        let mut left = self.operand()?;
        while let Some(times) = self.next_if(&["*", "/", ":"]).map(|operator| operator == "*") {
            let right = self.operand()?;
            let sign = if times { 1 } else { -1 };
            left.value *= if times { right.value } else { 1.0 / right.value };
            left.dimension = Dimension {
                seconds: left.dimension.seconds + sign * right.dimension.seconds,
                bytes: left.dimension.bytes + sign * right.dimension.bytes,
            };
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Quantity, String> {
        let token = self.tokens.pop().ok_or("something is missing at the end")?;
        if token == "(" {
            let value = self.sum()?;
            return self.next_if(&[")"]).map(|_| value).ok_or_else(|| "no `)`".to_owned());
        }
        match number(token) {
            Some((number, length)) if length == token.len() => {
                Ok(Quantity::new(number.value, COUNT))
            }
            _ => self.records.get(token),
        }
    }
}

pub mod tests {
    use super::super::quantity::{RATE, TIME};
    use super::*;

    fn records() -> Records {
        let value =
            |path: &str, value, dimension| (path.to_owned(), Quantity::new(value, dimension));
        Records::of([
            value("r/old", 4.0, TIME),
            value("r/new", 1.0, TIME),
            value("r/n", 8.0, COUNT),
        ])
    }

    #[track_caller]
    fn assert_value(expression: &str, value: f64, dimension: Dimension) {
        assert_eq!(evaluate(expression, &records()), Ok(Quantity::new(value, dimension)));
    }

    pub fn an_expression_has_the_value_and_dimension_of_its_parts() {
        assert_value("r/old", 4.0, TIME);
        assert_value("r/old : r/new", 4.0, COUNT);
        assert_value("r/n / r/new", 8.0, RATE);
        assert_value("1000 * 8 / 2 - 1", 3999.0, COUNT);
        assert_value("(r/old - r/new) : r/old", 0.75, COUNT);
        assert_value("r/old : r/new - 1", 3.0, COUNT);
    }

    pub fn a_planted_mistake_in_an_expression_is_caught() {
        for (expression, words) in [
            ("r/olt", "no record has `r/olt`"),
            ("r/old + 1", "do not add up"),
            ("r/old :", "something is missing"),
            ("(r/old", "no `)`"),
            ("r/old r/new", "`r/new` is not expected"),
        ] {
            let error = evaluate(expression, &records()).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
