//! Queries over HTTPS (service-protocols.md 2.7).

use hyper::Method;
use serde_json::{Value, json};

use super::rest::Call;
use super::{ClientError, RestClient};

/// One page of a query's result.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultPage {
    /// What the rows are called: `Twin`, `DeviceJob` or `Raw`.
    pub item_type: String,
    /// The rows.
    pub rows: Vec<Value>,
    /// Asks for the next page; `None` if this is the last.
    pub continuation: Option<String>,
}

impl RestClient {
    /// A page of at most `rows_max` rows, behind the page that gave `continuation`.
    pub async fn query(
        &self,
        text: &str,
        rows_max: usize,
        continuation: Option<&str>,
    ) -> Result<ResultPage, ClientError> {
        let mut call = Call::new(Method::POST, "/devices/query")
            .header("x-ms-max-item-count", rows_max.to_string())
            .json(&json!({"query": text}));
        if let Some(token) = continuation {
            call = call.header("x-ms-continuation", token);
        }
        let answer = self.call(call).await?;
        let header = |name| {
            answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (item_type, continuation) = (header("x-ms-item-type"), header("x-ms-continuation"));
        match answer.json {
            Value::Array(rows) => {
                Ok(ResultPage { item_type: item_type.unwrap_or_default(), rows, continuation })
            }
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }
}
