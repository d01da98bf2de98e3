//! A query's text in tokens.

use serde_json::Number;

use super::error::QueryError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or keyword.
    Name(String),
    /// A name in double brackets or after a full stop, which is never a keyword.
    Member(String),
    /// A string constant, without quotes and escapes.
    Text(String),
    Number(Number),
    Symbol(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it begins in the text, in characters from 1.
    pub(super) position: usize,
}

/// The longest first.
const SYMBOLS: [&str; 18] =
    ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-", "*", "/", "%"];

/// All tokens, the last of which is the end. With `hyphens` a name may have them where a letter follows, as the names of
/// message properties do: a difference of two names is then written with blanks.
pub(super) fn tokens(text: &str, hyphens: bool) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, byte: 0, seen: (0, 1), hyphens, tokens: Vec::new() };
    while lexer.next()? {}
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    byte: usize,
    /// Where the last token began: its byte and its position.
    seen: (usize, usize),
    hyphens: bool,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.byte..]
    }

    fn refuse<T>(&self, byte: usize, cause: impl Into<String>) -> Result<T, QueryError> {
        Err(QueryError::at(self.text, byte, cause))
    }

    /// Adds one token; false after the end.
    fn next(&mut self) -> Result<bool, QueryError> {
        let blanks = self.rest().len() - self.rest().trim_start().len();
        self.byte += blanks;
        let byte = self.byte;
        let position = self.seen.1 + self.text[self.seen.0..byte].chars().count();
        self.seen = (byte, position);
        let kind = self.kind(blanks == 0)?;
        let more = kind != Kind::End;
        self.tokens.push(Token { kind, position });
        Ok(more)
    }

    fn kind(&mut self, adjacent: bool) -> Result<Kind, QueryError> {
        let Some(first) = self.rest().chars().next() else { return Ok(Kind::End) };
        let is_member = matches!(self.tokens.last(), Some(Token { kind: Kind::Symbol("."), .. }));
        if self.rest().starts_with("[[") && (is_member || (adjacent && self.follows_name())) {
            return self.bracketed();
        }
        match first {
            '\'' | '"' => self.string(first),
            _ if is_member && is_inside(first) => Ok(Kind::Member(self.name())),
            _ if is_first(first) => Ok(Kind::Name(self.name())),
            '0'..='9' => self.number(),
            _ => match SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol)) {
                Some(symbol) => {
                    self.byte += symbol.len();
                    Ok(Kind::Symbol(symbol))
                }
                None => self.refuse(self.byte, format!("unexpected character {first:?}")),
            },
        }
    }

    /// Whether the last token is a name that `[[` may follow; after IN that is an array of arrays.
    fn follows_name(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            Some(Kind::Name(name)) => {
                !name.eq_ignore_ascii_case("in") && !name.eq_ignore_ascii_case("nin")
            }
            Some(Kind::Member(_)) => true,
            Some(Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End) | None => false,
        }
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let hyphen = |at: usize| {
            self.hyphens && rest[at + 1..].chars().next().is_some_and(|c| c.is_alphabetic())
        };
        let end = rest
            .char_indices()
            .find(|&(at, c)| !(is_inside(c) || c == '-' && hyphen(at)))
            .map_or(rest.len(), |(at, _)| at);
        self.byte += end;
        rest[..end].to_owned()
    }

    /// `[[name]]`
    fn bracketed(&mut self) -> Result<Kind, QueryError> {
        let inside = &self.rest()[2..];
        match inside.find("]]") {
            Some(0) => self.refuse(self.byte, "a name in brackets is empty"),
            Some(end) => {
                self.byte += end + 4;
                Ok(Kind::Member(inside[..end].to_owned()))
            }
            None => self.refuse(self.byte, "a name in brackets has no closing ]]"),
        }
    }

    fn string(&mut self, quote: char) -> Result<Kind, QueryError> {
        let begin = self.byte;
        self.byte += 1;
        let mut text = String::new();
        loop {
            match self.rest().chars().next() {
                None => return self.refuse(begin, "a string has no closing quote"),
                Some('\\') => text.push(self.escape()?),
                Some(c) => {
                    self.byte += c.len_utf8();
                    if c == quote {
                        return Ok(Kind::Text(text));
                    }
                    text.push(c);
                }
            }
        }
    }

    /// A backslash and what it escapes.
    fn escape(&mut self) -> Result<char, QueryError> {
        let begin = self.byte;
        self.byte += 1;
        match self.rest().chars().next() {
            Some(c @ ('\'' | '"' | '\\')) => {
                self.byte += 1;
                Ok(c)
            }
            Some('u') => {
                let first = self.code_unit()?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
                    self.byte += 1;
                    units.push(self.code_unit()?);
                }
                match char::decode_utf16(units).next() {
                    Some(Ok(c)) => Ok(c),
                    Some(Err(_)) | None => self.refuse(begin, "half of a surrogate pair"),
                }
            }
            Some(_) | None => self.refuse(begin, r#"unknown escape: there are \' \" \\ \uXXXX"#),
        }
    }

    /// `uXXXX`
    fn code_unit(&mut self) -> Result<u16, QueryError> {
        let digits = self.rest().get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.byte += 5;
                Ok(unit)
            }
            None => self.refuse(self.byte, "\\u needs four hexadecimal digits"),
        }
    }

    fn number(&mut self) -> Result<Kind, QueryError> {
        let (begin, bytes) = (self.byte, self.rest().as_bytes());
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let hexadecimal = bytes.len() > 1 && bytes[1].eq_ignore_ascii_case(&b'x');
        let end = if hexadecimal {
            2 + bytes[2..].iter().take_while(|b| b.is_ascii_hexdigit()).count()
        } else {
            let mut end = digits(0);
            if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
                end += 1 + digits(end + 1);
            }
            if matches!(bytes.get(end), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                // Without digits it is no exponent, and the letter is refused below.
                if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                    end += 1 + sign + digits(end + 1 + sign);
                }
            }
            end
        };
        let text = &self.rest()[..end];
        let number = match hexadecimal {
            true => u64::from_str_radix(&text[2..], 16).ok().map(Number::from),
            false => parse_number(text),
        };
        self.byte += end;
        if self.rest().chars().next().is_some_and(is_inside) {
            return self.refuse(begin, "a number ends in letters");
        }
        match number {
            Some(number) => Ok(Kind::Number(number)),
            None => self.refuse(begin, "a number is too large or has no digits"),
        }
    }
}

/// A number written in decimal: an integer if it is one of 64 bits.
pub(super) fn parse_number(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    Number::from_f64(text.parse().ok()?)
}

fn is_first(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn is_inside(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}
