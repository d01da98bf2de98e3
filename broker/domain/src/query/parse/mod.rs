//! From text to a query or condition: one token at a time, without going back, so in time linear in the text.

mod expression;
mod statement;

use super::error::QueryError;
use super::lexer::{Kind, Token, tokens};
use super::names::Dialect;
use super::{Expression, Query, Source};
use crate::limits::{QUERY_CHARS_MAX, QUERY_DEPTH_MAX};

/// Words that are no names, where a name could begin.
const EXPRESSION_WORDS: [&str; 9] =
    ["AND", "OR", "NOT", "IN", "NIN", "TRUE", "FALSE", "NULL", "UNDEFINED"];
const STATEMENT_WORDS: [&str; 7] = ["SELECT", "FROM", "WHERE", "GROUP", "BY", "AS", "TOP"];

pub(super) fn query(text: &str) -> Result<Query, QueryError> {
    // Which source it is stands behind the columns; they are resolved then.
    let mut parser = Parser::new(text, None)?;
    parser.statement()
}

pub(super) fn condition(text: &str, dialect: Dialect) -> Result<Expression, QueryError> {
    let mut parser = Parser::new(text, Some(dialect))?;
    let expression = parser.expression()?;
    parser.end("the end of the condition")?;
    Ok(expression)
}

/// A condition on devices, or on what it names itself: `FROM devices.modules WHERE ...`. Without a condition it is all of
/// that.
pub(super) fn target(text: &str) -> Result<(Source, Option<Expression>), QueryError> {
    let mut parser = Parser::new(text, Some(Dialect::Rows(Source::Devices)))?;
    let mut source = Source::Devices;
    if parser.take_word("FROM") {
        let position = parser.position();
        source = parser.source()?;
        if source == Source::Jobs {
            return Err(QueryError { position, cause: "jobs cannot be targets".to_owned() });
        }
        if *parser.kind() == Kind::End {
            return Ok((source, None));
        }
        parser.need_word("WHERE")?;
    }
    parser.dialect = Some(Dialect::Rows(source));
    let expression = parser.expression()?;
    parser.end("the end of the condition")?;
    Ok((source, Some(expression)))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    dialect: Option<Dialect>,
}

impl Parser {
    fn new(text: &str, dialect: Option<Dialect>) -> Result<Self, QueryError> {
        // Bytes first: of a text that is far too long nobody counts the characters.
        let too_long = text.len() > 4 * QUERY_CHARS_MAX || text.chars().count() > QUERY_CHARS_MAX;
        if too_long {
            return Err(QueryError {
                position: QUERY_CHARS_MAX + 1,
                cause: format!("the text has more than {QUERY_CHARS_MAX} characters"),
            });
        }
        let tokens = tokens(text, dialect == Some(Dialect::Routing))?;
        Ok(Self { tokens, next: 0, depth: 0, dialect })
    }

    fn kind(&self) -> &Kind {
        self.tokens.get(self.next).map_or(&Kind::End, |token| &token.kind)
    }

    /// Where the next token begins, in characters from 1. The last token is the end.
    fn position(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |token| token.position)
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn error(&self, cause: impl Into<String>) -> QueryError {
        QueryError { position: self.position(), cause: cause.into() }
    }

    /// The error that something else stands there.
    fn expected(&self, what: &str) -> QueryError {
        /// Of a long token nobody needs to see more.
        const SHOWN_CHARS: usize = 32;
        let shown = |text: &str| text.chars().take(SHOWN_CHARS).collect::<String>();
        let found = match self.kind() {
            Kind::Name(name) | Kind::Member(name) => shown(name),
            Kind::Text(text) => format!("the string {:?}", shown(text)),
            Kind::Number(number) => format!("the number {number}"),
            Kind::Symbol(symbol) => format!("'{symbol}'"),
            Kind::End => "end of text".to_owned(),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind(), Kind::Symbol(found) if *found == symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn need_symbol(&mut self, symbol: &str) -> Result<(), QueryError> {
        match self.take_symbol(symbol) {
            true => Ok(()),
            false => Err(self.expected(&format!("'{symbol}'"))),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), Kind::Name(name) if name.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn need_word(&mut self, word: &str) -> Result<(), QueryError> {
        match self.take_word(word) {
            true => Ok(()),
            false => Err(self.expected(word)),
        }
    }

    fn end(&self, what: &str) -> Result<(), QueryError> {
        match self.kind() {
            Kind::End => Ok(()),
            Kind::Name(_) | Kind::Member(_) | Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) => {
                Err(self.expected(what))
            }
        }
    }

    /// Whether a word cannot be the first name of a path.
    fn is_reserved(&self, name: &str) -> bool {
        let is_among = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(name));
        is_among(&EXPRESSION_WORDS)
            || (self.dialect != Some(Dialect::Routing) && is_among(&STATEMENT_WORDS))
    }

    /// Reads what stands one level deeper.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth >= QUERY_DEPTH_MAX {
            return Err(self.error(format!("more than {QUERY_DEPTH_MAX} levels in one another")));
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }
}
