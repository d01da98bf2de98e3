//! Jobs over many devices (service-protocols.md 2.9).

use hyper::Method;
use serde_json::Value;

use super::percent::encode;
use super::rest::Call;
use super::{ClientError, RestClient};

/// Jobs of one page of a list.
const PAGE: usize = 1000;

impl RestClient {
    /// Makes a job from its JSON form; the reply is the whole job.
    pub async fn create_job(&self, id: &str, job: &Value) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::PUT, job_path(id)).json(job)).await?.json)
    }

    /// One job, with its progress.
    pub async fn job(&self, id: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, job_path(id))).await?.json)
    }

    /// The newest jobs, of this type and status only if they are given.
    pub async fn jobs(
        &self,
        job_type: Option<&str>,
        status: Option<&str>,
    ) -> Result<Vec<Value>, ClientError> {
        let mut path = "/jobs/v2/query?".to_owned();
        for (name, value) in [("jobType", job_type), ("jobStatus", status)] {
            if let Some(value) = value {
                path += &format!("{name}={}&", encode(value));
            }
        }
        let path = path.trim_end_matches(['?', '&']);
        let call = Call::new(Method::GET, path).header("x-ms-max-item-count", PAGE.to_string());
        match self.call(call).await?.json {
            Value::Array(jobs) => Ok(jobs),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }

    /// Ends a job; the reply is the whole job.
    pub async fn cancel_job(&self, id: &str) -> Result<Value, ClientError> {
        let call = Call::new(Method::POST, format!("{}/cancel", job_path(id)));
        Ok(self.call(call).await?.json)
    }
}

fn job_path(id: &str) -> String {
    format!("/jobs/v2/{}", encode(id))
}
