//! `ironhub query`.

use std::io::{IsTerminal, Write};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ironhub_domain::query::{Query, Select};
use serde_json::Value;

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{escaped, text};
use super::{CommandError, coloured_stdout, hint, table};
use crate::client::ResultPage;

/// Rows that the hub gives at a time, at most.
const PAGE_ROWS_MAX: u16 = 1000;
/// A table is put together in memory: longer ones are for programs.
const TABLE_ROWS_MAX: usize = 10_000;

const EXAMPLES: &str = "\
Devices of a floor, or those that are connected, as a table:
  ironhub query \"SELECT * FROM devices WHERE tags.floor = 3\"
  ironhub query \"SELECT deviceId, tags.floor FROM devices WHERE connectionState = 'Connected'\"

How many devices have which version:
  ironhub query \"SELECT properties.reported.version AS version, COUNT() AS devices FROM devices GROUP BY properties.reported.version\"

Modules, and for a script (a pipe gets tabs and no heading):
  ironhub query \"SELECT deviceId, moduleId FROM devices.modules WHERE moduleId = 'camera'\"
  ironhub query \"SELECT deviceId FROM devices WHERE status = 'disabled'\" | cut -f1

Whole twins, one JSON document in each line:
  ironhub query \"SELECT * FROM devices\" --page-size 1000 --json | jq -r .deviceId";

/// Options of `query`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct QueryArgs {
    /// What to ask: SELECT ... FROM devices|devices.modules|devices.jobs [WHERE ...] [GROUP BY ...]
    #[arg(value_name = "QUERY")]
    pub text: String,
    /// Rows to ask for at a time
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=i64::from(PAGE_ROWS_MAX)))]
    pub page_size: u16,
    /// Stop after so many rows [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Print each row as JSON, in a line of its own
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &QueryArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let (rest, mut output) = (hub.rest(), Output::new(args));
    let progress = progress(args);
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut continuation: Option<String> = None;
    loop {
        let page_size =
            usize::from(args.page_size).min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut page = rest.query(&args.text, page_size, continuation.as_deref()).await?;
        // Groups come in one page, however many they are.
        page.rows.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let count = page.rows.len() as u64;
        left = left.saturating_sub(count);
        progress.inc(count);
        continuation = page.continuation.take();
        let wants_more = output.take(page)?;
        if continuation.is_none() || left == 0 || !wants_more {
            break;
        }
    }
    progress.finish_and_clear();
    output.finish()?;
    if continuation.is_some() {
        hint("\nThere may be more rows.");
    }
    Ok(())
}

/// Draws itself on standard error, and only on a terminal; not while rows are written to the same one.
fn progress(args: &QueryArgs) -> ProgressBar {
    if args.json && std::io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{spinner} {pos} rows, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Where rows go.
struct Output<'a> {
    args: &'a QueryArgs,
    aligned: bool,
    columns: Vec<Column>,
    /// Of a table, which is written when it is complete.
    rows: Vec<Vec<String>>,
}

/// A column of the table: its heading, and where a row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    heading: String,
    key: String,
}

impl<'a> Output<'a> {
    fn new(args: &'a QueryArgs) -> Self {
        let aligned = std::io::stdout().is_terminal();
        Self { args, aligned, columns: Vec::new(), rows: Vec::new() }
    }

    /// Whether there is room for more.
    fn take(&mut self, page: ResultPage) -> Result<bool, CommandError> {
        let mut out = std::io::stdout().lock();
        if self.args.json {
            page.rows.iter().try_for_each(|row| writeln!(out, "{row}"))?;
            return Ok(true);
        }
        if self.columns.is_empty() {
            self.columns = columns(&self.args.text, &page);
        }
        let cells =
            |row: &Value| self.columns.iter().map(|column| cell(&row[&column.key])).collect();
        let rows: Vec<Vec<String>> = page.rows.iter().map(cells).collect();
        if self.aligned {
            self.rows.extend(rows);
            return Ok(self.rows.len() < TABLE_ROWS_MAX);
        }
        table::write(&mut out, &[], &rows, false, false)?;
        Ok(true)
    }

    fn finish(self) -> Result<(), CommandError> {
        if !self.aligned || self.args.json {
            return Ok(());
        }
        if self.rows.is_empty() {
            hint("No rows.");
            return Ok(());
        }
        let headings: Vec<&str> = self.columns.iter().map(|c| c.heading.as_str()).collect();
        let mut out = std::io::stdout().lock();
        Ok(table::write(&mut out, &headings, &self.rows, true, coloured_stdout())?)
    }
}

/// The columns that the query names, in its order; of whole documents those that people look for.
fn columns(query: &str, page: &ResultPage) -> Vec<Column> {
    let named = |columns: &[(&str, &str)]| {
        let column = |(heading, key): &(&str, &str)| Column {
            heading: (*heading).to_owned(),
            key: (*key).to_owned(),
        };
        columns.iter().map(column).collect()
    };
    const TWIN: [(&str, &str); 4] = [
        ("DEVICE", "deviceId"),
        ("STATUS", "status"),
        ("CONNECTION", "connectionState"),
        ("LAST ACTIVITY", "lastActivityTime"),
    ];
    match page.item_type.as_str() {
        "Twin" if page.rows.iter().any(|row| row["moduleId"].is_string()) => {
            named(&[&[TWIN[0], ("MODULE", "moduleId")], &TWIN[1..]].concat())
        }
        "Twin" => named(&TWIN),
        "DeviceJob" => named(&[
            ("DEVICE", "deviceId"),
            ("JOB", "jobId"),
            ("TYPE", "jobType"),
            ("STATUS", "status"),
            ("LAST UPDATE", "lastUpdatedDateTimeUtc"),
        ]),
        _ => raw_columns(query, &page.rows),
    }
}

/// A hub may know more of the language than this program; then the rows themselves say what they have.
fn raw_columns(query: &str, rows: &[Value]) -> Vec<Column> {
    let names: Vec<String> = match Query::parse(query).map(|query| query.select) {
        Ok(Select::Columns(columns)) => columns.into_iter().map(|column| column.name).collect(),
        Ok(Select::All) | Err(_) => {
            let mut names: Vec<String> = Vec::new();
            for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names
        }
    };
    names.into_iter().map(|name| Column { heading: escaped(&name), key: name }).collect()
}

/// Texts as they are, everything else as JSON, what is not there as nothing.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(_) => escaped(&text(value)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            escaped(&value.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(query: &str, item_type: &str, rows: &[Value], headings: &str, cells: &str) {
        let page =
            ResultPage { item_type: item_type.into(), rows: rows.to_vec(), continuation: None };
        let columns = columns(query, &page);
        let found: Vec<&str> = columns.iter().map(|column| column.heading.as_str()).collect();
        assert_eq!(found.join("|"), headings, "{query}");
        let first: Vec<String> = columns.iter().map(|column| cell(&rows[0][&column.key])).collect();
        assert_eq!(first.join("|"), cells, "{query}");
    }

    #[test]
    fn a_table_has_the_columns_that_the_query_names() {
        let rows = [json!({"b": 1, "a": {"x": "y"}}), json!({"c": "z"})];
        check(
            "SELECT tags.b, tags.c, tags.a FROM devices",
            "Raw",
            &rows,
            "b|c|a",
            r#"1||{"x":"y"}"#,
        );
        check("SELECT of the future", "Raw", &rows, "a|b|c", r#"{"x":"y"}|1|"#);
    }

    #[test]
    fn of_twins_a_table_has_what_people_look_for() {
        let twin =
            json!({"deviceId": "d\u{9b}", "status": "enabled", "connectionState": "Connected"});
        let all = "SELECT * FROM devices";
        let heading = "DEVICE|STATUS|CONNECTION|LAST ACTIVITY";
        check(all, "Twin", &[twin], heading, "d\\u{9b}|enabled|Connected|");
        let module = json!({"deviceId": "d", "moduleId": "m"});
        let heading = "DEVICE|MODULE|STATUS|CONNECTION|LAST ACTIVITY";
        check(all, "Twin", &[module], heading, "d|m|||");
    }
}
