//! Where a receiver starts: the selector filter of its source (service-protocols.md 4.4, 4.5).

use ironhub_domain::event::StartPosition;
use ironhub_wire::amqp::{Error, Map, Source, Value, condition};

use crate::amqp::errors;

/// Name of the filter, and its descriptor as a symbol.
const SELECTOR: &str = "apache.org:selector-filter:string";
/// Its descriptor as a number.
const SELECTOR_CODE: u64 = 0x0000_468c_0000_0004;

/// The position that a source asks for; without a filter it is the end.
pub(super) fn start_position(source: Option<&Source>) -> Result<StartPosition, Error> {
    let Some(selector) = source.and_then(|source| source.filter.as_ref()).and_then(selector) else {
        return Ok(StartPosition::Latest);
    };
    let text = match selector {
        Value::String(text) => text.as_str(),
        Value::Described(described) => match (&described.descriptor, &described.value) {
            (Value::Symbol(name), Value::String(text)) if *name == SELECTOR => text.as_str(),
            (Value::Ulong(SELECTOR_CODE), Value::String(text)) => text.as_str(),
            _ => return Err(invalid("the filter is not a described string of the selector type")),
        },
        _ => return Err(invalid("the filter is not a string")),
    };
    StartPosition::parse_selector(text).map_err(|error| errors::error(&error))
}

/// The filter under its usual key, or under any key if its descriptor says what it is. Null means no filter.
fn selector(filters: &Map) -> Option<&Value> {
    let by_name = filters.get(SELECTOR);
    let described = |value: &&Value| match value {
        Value::Described(described) => match &described.descriptor {
            Value::Symbol(name) => *name == SELECTOR,
            Value::Ulong(code) => *code == SELECTOR_CODE,
            _ => false,
        },
        _ => false,
    };
    let found = by_name.or_else(|| filters.0.iter().map(|(_, value)| value).find(described));
    found.filter(|value| **value != Value::Null)
}

fn invalid(text: &'static str) -> Error {
    // As Event Hubs does: it is the kind of filter that is wrong, not what it says.
    Error::new(condition::NOT_ALLOWED, text.to_owned())
}

#[cfg(test)]
mod tests {
    use ironhub_wire::amqp::Described;

    use super::*;

    fn check(filter: Option<Map>, expected: Result<StartPosition, &str>) {
        let shown = format!("{filter:?}");
        let source = Source { filter, ..Source::default() };
        let position = start_position(Some(&source));
        let got = position.as_ref().map(|p| *p).map_err(|error| error.condition.as_str());
        assert_eq!(got, expected, "{shown}");
    }

    fn described(descriptor: Value, text: &'static str) -> Value {
        Value::Described(Box::new(Described { descriptor, value: Value::string(text) }))
    }

    fn under(key: &'static str, value: Value) -> Option<Map> {
        Some(Map::default().with(key, value))
    }

    const FIVE: &str = "amqp.annotation.x-opt-sequence-number > '5'";

    #[test]
    fn both_descriptors_and_a_bare_string_are_taken() {
        let five = Ok(StartPosition::Sequence { value: 5, inclusive: false });
        check(under(SELECTOR, described(Value::symbol(SELECTOR), FIVE)), five);
        check(under(SELECTOR, described(Value::Ulong(SELECTOR_CODE), FIVE)), five);
        check(under("selector", described(Value::Ulong(SELECTOR_CODE), FIVE)), five);
        check(under(SELECTOR, Value::string(FIVE)), five);
    }

    #[test]
    fn no_filter_means_the_end() {
        check(None, Ok(StartPosition::Latest));
        check(Some(Map::default()), Ok(StartPosition::Latest));
        check(under(SELECTOR, Value::Null), Ok(StartPosition::Latest));
        check(
            under("apache.org:no-local-filter:list", Value::List(vec![])),
            Ok(StartPosition::Latest),
        );
        assert_eq!(start_position(None), Ok(StartPosition::Latest));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        check(under(SELECTOR, Value::Int(5)), Err("amqp:not-allowed"));
        check(under(SELECTOR, described(Value::Ulong(1), FIVE)), Err("amqp:not-allowed"));
        let nonsense = described(Value::symbol(SELECTOR), "color = 'red'");
        check(under(SELECTOR, nonsense), Err("com.microsoft:argument-error"));
    }
}
