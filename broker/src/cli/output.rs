//! Results on standard output.

use std::io::Write;

use serde_json::Value;

use super::CommandError;

/// One line.
pub(super) fn println(line: &str) -> Result<(), CommandError> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// A result as a whole, indented.
pub(super) fn print_json(value: &Value) -> Result<(), CommandError> {
    println(&format!("{value:#}"))
}

/// A text, or nothing.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a device sends must not move the cursor of whoever looks at it.
pub(super) fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let control = c.is_control();
            let plain = (!control).then_some(c);
            plain.into_iter().chain(control.then(|| c.escape_default()).into_iter().flatten())
        })
        .collect()
}
