//! A condition as a tree.
//!
//! Chains of AND, of OR and of arithmetic are flat, so the depth of the tree is bounded by
//! [`QUERY_DEPTH_MAX`](crate::limits::QUERY_DEPTH_MAX) and not by the length of the text.

use serde_json::Value;

use super::function::Function;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// A path into a row.
#[derive(Clone, Debug)]
pub struct Path {
    /// From the row's root. Names that the hub gives have their canonical spelling; at least one step.
    pub steps: Vec<Step>,
    /// Where it stands in the text, in characters from 1.
    pub position: usize,
}

impl Path {
    /// The last name in it.
    pub fn last_name(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
    }

    /// The first name, if it begins with one.
    pub fn root(&self) -> Option<&str> {
        match self.steps.first()? {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// An operator on numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// An expression; evaluated on a row it gives a JSON value or undefined.
#[derive(Clone, Debug)]
pub enum Expression {
    /// A constant; `None` is `undefined`.
    Constant(Option<Value>),
    /// What the row has there.
    Path(Path),
    /// True if one is.
    Or(Vec<Expression>),
    /// True if all are.
    And(Vec<Expression>),
    /// The opposite.
    Not(Box<Expression>),
    /// A comparison of two values.
    Compare(Box<Expression>, Comparison, Box<Expression>),
    /// IN (true) or NIN (false) an array of constants.
    Among(Box<Expression>, bool, Vec<Option<Value>>),
    /// Operators of one rank, from left to right.
    Arithmetic(Box<Expression>, Vec<(Arithmetic, Expression)>),
    /// A function and its arguments, as many as it takes.
    Call(Function, Vec<Expression>),
}

impl Expression {
    /// Shows every path in it to `see`.
    pub fn visit_paths(&self, see: &mut dyn FnMut(&Path)) {
        match self {
            Self::Constant(_) => {}
            Self::Path(path) => see(path),
            Self::Or(all) | Self::And(all) | Self::Call(_, all) => {
                all.iter().for_each(|part| part.visit_paths(see));
            }
            Self::Not(part) | Self::Among(part, _, _) => part.visit_paths(see),
            Self::Compare(left, _, right) => {
                left.visit_paths(see);
                right.visit_paths(see);
            }
            Self::Arithmetic(first, rest) => {
                first.visit_paths(see);
                rest.iter().for_each(|(_, part)| part.visit_paths(see));
            }
        }
    }

    /// Whether a path in it begins with this name.
    pub fn reads(&self, root: &str) -> bool {
        let mut found = false;
        self.visit_paths(&mut |path| found |= path.root() == Some(root));
        found
    }
}
