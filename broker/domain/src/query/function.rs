//! The functions (service-protocols.md 2.7, 4.11). Twins and jobs have them all, too; the original has only IS_DEFINED
//! there.

use serde_json::Value;

use super::datum::Datum;
use super::evaluate::Row;
use super::expression::Expression;
use super::lexer::parse_number;
use crate::limits::QUERY_TEXT_BYTES_MAX;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the function of its name")]
pub enum Function {
    Abs,
    ArrayContains,
    AsNumber,
    Ceiling,
    Concat,
    Contains,
    EndsWith,
    Exp,
    Floor,
    IndexOf,
    IsArray,
    IsBool,
    IsDefined,
    IsNull,
    IsNumber,
    IsObject,
    IsPrimitive,
    IsString,
    Length,
    Lower,
    Power,
    Sign,
    Sqrt,
    Square,
    StartsWith,
    Substring,
    Upper,
}

use Function::*;

/// Names, and how many arguments each takes.
const FUNCTIONS: [(&str, Function, usize, usize); 29] = [
    ("ABS", Abs, 1, 1),
    ("ARRAY_CONTAINS", ArrayContains, 2, 2),
    ("AS_NUMBER", AsNumber, 1, 1),
    ("CEILING", Ceiling, 1, 1),
    ("CONCAT", Concat, 2, usize::MAX),
    ("CONTAINS", Contains, 2, 2),
    ("ENDS_WITH", EndsWith, 2, 2),
    ("ENDSWITH", EndsWith, 2, 2),
    ("EXP", Exp, 1, 1),
    ("FLOOR", Floor, 1, 1),
    ("INDEX_OF", IndexOf, 2, 2),
    ("IS_ARRAY", IsArray, 1, 1),
    ("IS_BOOL", IsBool, 1, 1),
    ("IS_DEFINED", IsDefined, 1, 1),
    ("IS_NULL", IsNull, 1, 1),
    ("IS_NUMBER", IsNumber, 1, 1),
    ("IS_OBJECT", IsObject, 1, 1),
    ("IS_PRIMITIVE", IsPrimitive, 1, 1),
    ("IS_STRING", IsString, 1, 1),
    ("LENGTH", Length, 1, 1),
    ("LOWER", Lower, 1, 1),
    ("POWER", Power, 2, 2),
    ("SIGN", Sign, 1, 1),
    ("SQRT", Sqrt, 1, 1),
    ("SQUARE", Square, 1, 1),
    ("STARTS_WITH", StartsWith, 2, 2),
    ("STARTSWITH", StartsWith, 2, 2),
    ("SUBSTRING", Substring, 2, 3),
    ("UPPER", Upper, 1, 1),
];

impl Function {
    /// The function of that name in any case, with the fewest and most arguments that it takes.
    pub(super) fn named(name: &str) -> Option<(Self, usize, usize)> {
        FUNCTIONS
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name))
            .map(|&(_, function, min, max)| (function, min, max))
    }
}

/// What a function comes to. Of arguments of other types than it takes it is undefined, but the IS_ functions, which are
/// false of what is undefined.
pub(super) fn call<'a>(
    function: Function,
    arguments: &'a [Expression],
    row: &'a dyn Row,
) -> Option<Datum<'a>> {
    let value = |at: usize| arguments.get(at)?.evaluate(row);
    let number = |at: usize| arguments.get(at)?.number(row)?.as_f64();
    let text = |at: usize| match value(at)? {
        Datum::Text(text) => Some(text),
        Datum::Null | Datum::Bool(_) | Datum::Number(_) | Datum::Composite(_) => None,
    };
    match function {
        Abs => match arguments.first()?.number(row)? {
            number if number.is_u64() => Some(Datum::Number(number)),
            number => Datum::number(number.as_f64()?.abs()),
        },
        ArrayContains => {
            let Datum::Composite(array) = value(0)? else { return None };
            let sought = value(1)?;
            let equals = |element: &Value| Datum::from(element).equals(&sought) == Some(true);
            Some(Datum::Bool(array.as_array()?.iter().any(equals)))
        }
        Ceiling => Datum::number(number(0)?.ceil()),
        Exp => Datum::number(number(0)?.exp()),
        Floor => Datum::number(number(0)?.floor()),
        Power => Datum::number(number(0)?.powf(number(1)?)),
        Sign => Datum::number(match number(0)? {
            0.0 => 0.0,
            number => number.signum(),
        }),
        Sqrt => Datum::number(number(0)?.sqrt()),
        Square => Datum::number(number(0)?.powi(2)),
        AsNumber => as_number(value(0)?),
        IsDefined => Some(Datum::Bool(value(0).is_some())),
        IsArray | IsBool | IsNull | IsNumber | IsObject | IsPrimitive | IsString => {
            Some(Datum::Bool(value(0).is_some_and(|value| is_of_type(function, &value))))
        }
        Concat => concat(arguments, row),
        Contains => Some(Datum::Bool(text(0)?.contains(&*text(1)?))),
        EndsWith => Some(Datum::Bool(text(0)?.ends_with(&*text(1)?))),
        StartsWith => Some(Datum::Bool(text(0)?.starts_with(&*text(1)?))),
        IndexOf => {
            let (text, part) = (text(0)?, text(1)?);
            let at = text.find(&*part).map(|byte| text[..byte].chars().count());
            Some(Datum::Number(at.map_or_else(|| (-1).into(), Into::into)))
        }
        Length => Some(Datum::Number(text(0)?.chars().count().into())),
        Lower => Some(Datum::owned(text(0)?.to_lowercase())),
        Upper => Some(Datum::owned(text(0)?.to_uppercase())),
        Substring => {
            let begin = count(number(1)?)?;
            let length = match arguments.get(2) {
                Some(_) => count(number(2)?)?,
                None => usize::MAX,
            };
            Some(Datum::owned(text(0)?.chars().skip(begin).take(length).collect()))
        }
    }
}

/// The number that a string writes, blanks around it or not.
fn as_number(value: Datum<'_>) -> Option<Datum<'_>> {
    match value {
        Datum::Number(number) => Some(Datum::Number(number)),
        Datum::Text(text) => {
            let text = text.trim();
            // Rust reads more than numbers: "inf", "NaN".
            let numeric = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
            text.bytes().all(numeric).then(|| parse_number(text))?.map(Datum::Number)
        }
        Datum::Null | Datum::Bool(_) | Datum::Composite(_) => None,
    }
}

fn is_of_type(function: Function, value: &Datum<'_>) -> bool {
    match value {
        Datum::Null => matches!(function, IsNull | IsPrimitive),
        Datum::Bool(_) => matches!(function, IsBool | IsPrimitive),
        Datum::Number(_) => matches!(function, IsNumber | IsPrimitive),
        Datum::Text(_) => matches!(function, IsString | IsPrimitive),
        Datum::Composite(value) if value.is_array() => function == IsArray,
        Datum::Composite(_) => function == IsObject,
    }
}

fn concat<'a>(arguments: &[Expression], row: &dyn Row) -> Option<Datum<'a>> {
    let mut whole = String::new();
    for argument in arguments {
        let Datum::Text(text) = argument.evaluate(row)? else { return None };
        if whole.len() + text.len() > QUERY_TEXT_BYTES_MAX {
            return None;
        }
        whole.push_str(&text);
    }
    Some(Datum::owned(whole))
}

/// A position or length: a whole number that is not negative.
fn count(number: f64) -> Option<usize> {
    (number >= 0.0 && number.fract() == 0.0).then_some(number as usize)
}
