//! Expressions: OR binds weakest, then AND, NOT, comparisons, sums, products, signs.

use serde_json::Value;

use super::Parser;
use crate::limits::QUERY_ARRAY_MAX;
use crate::query::error::QueryError;
use crate::query::expression::{Arithmetic, Comparison, Expression, Path, Step};
use crate::query::function::Function;
use crate::query::lexer::Kind;
use crate::query::names;

const COMPARISONS: [(&str, Comparison); 7] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<>", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];
const SUMS: [(&str, Arithmetic); 2] = [("+", Arithmetic::Add), ("-", Arithmetic::Subtract)];
const PRODUCTS: [(&str, Arithmetic); 3] =
    [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide), ("%", Arithmetic::Remainder)];

type Parsed = Result<Expression, QueryError>;

impl Parser {
    pub(super) fn expression(&mut self) -> Parsed {
        self.connected("OR", Self::conjunction, Expression::Or)
    }

    fn conjunction(&mut self) -> Parsed {
        self.connected("AND", Self::negation, Expression::And)
    }

    /// One or more parts with a word between them.
    fn connected(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Parsed,
        all: fn(Vec<Expression>) -> Expression,
    ) -> Parsed {
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_word(word) {
            parts.push(part(self)?);
        }
        Ok(all(parts))
    }

    fn negation(&mut self) -> Parsed {
        match self.take_word("NOT") {
            true => Ok(Expression::Not(Box::new(self.nested(Self::negation)?))),
            false => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        for (word, is_in) in [("IN", true), ("NIN", false)] {
            if self.take_word(word) {
                let array = self.array()?;
                return Ok(Expression::Among(Box::new(left), is_in, array));
            }
        }
        let found = COMPARISONS.into_iter().find(|(symbol, _)| self.is_symbol(symbol));
        let Some((_, comparison)) = found else { return Ok(left) };
        self.advance();
        let right = self.sum()?;
        Ok(Expression::Compare(Box::new(left), comparison, Box::new(right)))
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&SUMS, Self::product)
    }

    fn product(&mut self) -> Parsed {
        self.chain(&PRODUCTS, Self::operand)
    }

    fn chain(&mut self, operators: &[(&str, Arithmetic)], part: fn(&mut Self) -> Parsed) -> Parsed {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is_symbol(symbol))
        {
            self.advance();
            rest.push((*operator, part(self)?));
        }
        match rest.is_empty() {
            true => Ok(first),
            false => Ok(Expression::Arithmetic(Box::new(first), rest)),
        }
    }

    fn operand(&mut self) -> Parsed {
        match self.kind() {
            Kind::Symbol("(") => {
                self.advance();
                let inside = self.nested(Self::expression)?;
                self.need_symbol(")")?;
                Ok(inside)
            }
            Kind::Symbol(sign @ ("-" | "+")) => {
                let operator = match *sign {
                    "-" => Arithmetic::Subtract,
                    _ => Arithmetic::Add,
                };
                self.advance();
                let signed = self.nested(Self::operand)?;
                let zero = Expression::Constant(Some(0.into()));
                Ok(Expression::Arithmetic(Box::new(zero), vec![(operator, signed)]))
            }
            Kind::Symbol("[") => {
                let array = self.array()?;
                // An array with undefined in it has a hole, which JSON lacks.
                let array = array.into_iter().map(Option::unwrap_or_default).collect();
                Ok(Expression::Constant(Some(Value::Array(array))))
            }
            Kind::Name(name) => match self.constant_word(name) {
                Some(constant) => {
                    self.advance();
                    Ok(Expression::Constant(constant))
                }
                None => self.path_or_call(),
            },
            Kind::Text(_) | Kind::Number(_) => self.constant().map(Expression::Constant),
            Kind::Member(_) | Kind::Symbol(_) | Kind::End => Err(self.expected("an expression")),
        }
    }

    fn constant_word(&self, name: &str) -> Option<Option<Value>> {
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        match () {
            () if is("TRUE") => Some(Some(Value::Bool(true))),
            () if is("FALSE") => Some(Some(Value::Bool(false))),
            () if is("NULL") => Some(Some(Value::Null)),
            () if is("UNDEFINED") => Some(None),
            () => None,
        }
    }

    /// The elements of an array constant; `None` is undefined.
    fn array(&mut self) -> Result<Vec<Option<Value>>, QueryError> {
        self.need_symbol("[")?;
        let mut elements = Vec::new();
        if self.take_symbol("]") {
            return Ok(elements);
        }
        loop {
            if elements.len() >= QUERY_ARRAY_MAX {
                return Err(
                    self.error(format!("an array has more than {QUERY_ARRAY_MAX} elements"))
                );
            }
            elements.push(self.constant()?);
            if !self.take_symbol(",") {
                self.need_symbol("]")?;
                return Ok(elements);
            }
        }
    }

    fn constant(&mut self) -> Result<Option<Value>, QueryError> {
        let constant = match self.kind() {
            Kind::Text(text) => Some(Value::String(text.clone())),
            Kind::Number(number) => Some(Value::Number(number.clone())),
            Kind::Name(name) => match self.constant_word(name) {
                Some(constant) => constant,
                None => return Err(self.expected("a constant")),
            },
            Kind::Symbol("[") => {
                let array = self.nested(Self::array)?;
                let array = array.into_iter().map(Option::unwrap_or_default).collect();
                return Ok(Some(Value::Array(array)));
            }
            Kind::Symbol("-") => {
                self.advance();
                let negative = match self.kind() {
                    Kind::Number(number) => match number.as_u64() {
                        Some(whole) => 0_i64.checked_sub_unsigned(whole).map(Value::from),
                        None => number.as_f64().map(|number| Value::from(-number)),
                    },
                    _ => None,
                };
                Some(negative.ok_or_else(|| self.expected("a number"))?)
            }
            Kind::Member(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.expected("a constant"));
            }
        };
        self.advance();
        Ok(constant)
    }

    fn path_or_call(&mut self) -> Parsed {
        let Kind::Name(name) = self.kind() else { return Err(self.expected("a name")) };
        let is_call =
            self.tokens.get(self.next + 1).is_some_and(|token| token.kind == Kind::Symbol("("));
        if self.is_reserved(name) {
            return Err(self.expected("an expression"));
        }
        if !is_call {
            return self.path().map(Expression::Path);
        }
        let name = name.to_ascii_uppercase();
        let Some((function, min, max)) = Function::named(&name) else {
            let cause = match ["COUNT", "AVG", "SUM", "MIN", "MAX"].contains(&name.as_str()) {
                true => format!("{name} stands in SELECT only"),
                false => format!("there is no function {name}"),
            };
            return Err(self.error(cause));
        };
        let position = self.position();
        self.next += 2;
        let mut arguments = Vec::new();
        while !self.take_symbol(")") {
            if !arguments.is_empty() {
                self.need_symbol(",")?;
            }
            arguments.push(self.nested(Self::expression)?);
        }
        if arguments.len() < min || arguments.len() > max {
            let takes = match (min, max) {
                (1, 1) => "one argument".to_owned(),
                (min, usize::MAX) => format!("{min} or more arguments"),
                (min, max) if min == max => format!("{min} arguments"),
                (min, max) => format!("{min} to {max} arguments"),
            };
            let cause = format!("{name} takes {takes}, not {}", arguments.len());
            return Err(QueryError { position, cause });
        }
        Ok(Expression::Call(function, arguments))
    }

    /// A path, in canonical form if it is known what it is a path of.
    pub(super) fn path(&mut self) -> Result<Path, QueryError> {
        let position = self.position();
        let mut steps = match self.kind() {
            Kind::Name(name) if !self.is_reserved(name) => vec![Step::Name(name.clone())],
            _ => return Err(self.expected("a name")),
        };
        self.advance();
        loop {
            if self.take_symbol(".") {
                let Kind::Member(name) = self.kind() else {
                    return Err(self.expected("a name after '.'"));
                };
                steps.push(Step::Name(name.clone()));
                self.advance();
            } else if let Kind::Member(name) = self.kind() {
                steps.push(Step::Name(name.clone()));
                self.advance();
            } else if self.take_symbol("[") {
                steps.push(self.index()?);
                self.advance();
                self.need_symbol("]")?;
            } else {
                break;
            }
        }
        let mut path = Path { steps, position };
        if let Some(dialect) = self.dialect {
            names::resolve(&mut path, dialect).map_err(|cause| QueryError { position, cause })?;
        }
        Ok(path)
    }

    /// What stands in brackets behind a path: a number, or a name in quotes.
    fn index(&self) -> Result<Step, QueryError> {
        let index = match self.kind() {
            Kind::Number(number) => number.as_u64().and_then(|n| usize::try_from(n).ok()),
            Kind::Text(name) => return Ok(Step::Name(name.clone())),
            Kind::Name(_) | Kind::Member(_) | Kind::Symbol(_) | Kind::End => None,
        };
        index.map(Step::Index).ok_or_else(|| self.expected("an index"))
    }
}
