//! What an expression is on a row (service-protocols.md 2.7).
//!
//! The reference leaves open what becomes of undefined values; here it is so:
//! - a path that the row does not have is undefined, and so is what is computed of undefined values;
//! - `=`, `!=`, IN and NIN compare primitives of any types, and values of different types are not equal; `<` and its like
//!   compare numbers with numbers, strings with strings and booleans with booleans; all else is undefined, also any
//!   comparison with an object or array;
//! - AND is false if one side is false, OR is true if one side is true; otherwise, and for NOT, an operand that is no
//!   boolean makes the result undefined;
//! - arithmetic is of numbers; a result that is not finite is undefined.
//!
//! So `tags.floor != 1` does not hold where there is no `tags.floor`, and neither does `NOT tags.floor = 1`.

use std::cmp::Ordering;

use serde_json::Number;

use super::datum::{Datum, whole};
use super::expression::{Arithmetic, Comparison, Expression, Step};
use super::function;

/// Something that has values at paths. Values are looked up when a condition needs them.
pub trait Row {
    /// The value at a path of at least one step, names in canonical spelling. `None` is undefined.
    fn value(&self, path: &[Step]) -> Option<Datum<'_>>;
}

impl Expression {
    /// Whether the condition is met: only by true.
    pub fn is_met(&self, row: &dyn Row) -> bool {
        self.evaluate(row) == Some(Datum::Bool(true))
    }

    /// The value; `None` is undefined.
    pub fn evaluate<'a>(&'a self, row: &'a dyn Row) -> Option<Datum<'a>> {
        match self {
            Self::Constant(value) => value.as_ref().map(Datum::from),
            Self::Path(path) => row.value(&path.steps),
            Self::Or(parts) => connect(parts, row, true),
            Self::And(parts) => connect(parts, row, false),
            Self::Not(part) => part.truth(row).map(|value| Datum::Bool(!value)),
            Self::Compare(left, comparison, right) => {
                let (left, right) = (left.evaluate(row)?, right.evaluate(row)?);
                compare(&left, *comparison, &right).map(Datum::Bool)
            }
            Self::Among(part, is_in, array) => {
                let value = part.evaluate(row)?;
                value.rank()?;
                let equals = |constant| Datum::from(constant).equals(&value) == Some(true);
                Some(Datum::Bool(array.iter().flatten().any(equals) == *is_in))
            }
            Self::Arithmetic(first, rest) => {
                let mut value = first.number(row)?;
                for (operator, part) in rest {
                    value = compute(&value, *operator, &part.number(row)?)?;
                }
                Some(Datum::Number(value))
            }
            Self::Call(function, arguments) => function::call(*function, arguments, row),
        }
    }

    fn truth(&self, row: &dyn Row) -> Option<bool> {
        match self.evaluate(row)? {
            Datum::Bool(value) => Some(value),
            Datum::Null | Datum::Number(_) | Datum::Text(_) | Datum::Composite(_) => None,
        }
    }

    pub(super) fn number(&self, row: &dyn Row) -> Option<Number> {
        match self.evaluate(row)? {
            Datum::Number(number) => Some(number),
            Datum::Null | Datum::Bool(_) | Datum::Text(_) | Datum::Composite(_) => None,
        }
    }
}

/// OR, which `true` decides, or AND, which `false` decides.
fn connect<'a>(parts: &[Expression], row: &dyn Row, decisive: bool) -> Option<Datum<'a>> {
    let mut outcome = Some(Datum::Bool(!decisive));
    for part in parts {
        match part.truth(row) {
            Some(value) if value == decisive => return Some(Datum::Bool(decisive)),
            Some(_) => {}
            None => outcome = None,
        }
    }
    outcome
}

fn compare(left: &Datum<'_>, comparison: Comparison, right: &Datum<'_>) -> Option<bool> {
    Some(match comparison {
        Comparison::Equal => left.equals(right)?,
        Comparison::NotEqual => !left.equals(right)?,
        Comparison::Less => left.order(right)? == Ordering::Less,
        Comparison::LessOrEqual => left.order(right)? != Ordering::Greater,
        Comparison::Greater => left.order(right)? == Ordering::Greater,
        Comparison::GreaterOrEqual => left.order(right)? != Ordering::Less,
    })
}

/// Integers stay integers as long as 64 bits hold the result.
fn compute(a: &Number, operator: Arithmetic, b: &Number) -> Option<Number> {
    if let (Some(a), Some(b)) = (whole(a), whole(b))
        && let Some(exact) = match operator {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide if b != 0 && a % b == 0 => a.checked_div(b),
            Arithmetic::Divide => None,
            Arithmetic::Remainder => a.checked_rem(b),
        }
        && let Some(exact) = i64::try_from(exact).map(Number::from).ok()
    {
        return Some(exact);
    }
    let (a, b) = (a.as_f64()?, b.as_f64()?);
    Number::from_f64(match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Remainder => a % b,
    })
}
