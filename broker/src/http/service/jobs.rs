//! `/jobs/v2`: one action over many devices (service-protocols.md 2.9).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::HeaderValue;
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::job::{Job, JobId, JobRequest, JobStatus, JobType};
use ironhub_domain::limits::JOB_JSON_BYTES_MAX;

use super::queries::{CONTINUATION, ITEM_TYPE, page_rows};
use super::request::{allow, json_reply};
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};

/// `PUT /jobs/v2/{id}`.
pub async fn put<B>(
    id: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let id = JobId::new(id)?;
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path(&id))?;
    let text = body::read(body, JOB_JSON_BYTES_MAX).await?;
    let hub = context.hub()?;
    let request = JobRequest::parse(id, &text, hub.method_payload_bytes_max())?;
    Ok(json_reply(&hub.create_job(request).await?.json()))
}

/// `GET /jobs/v2/{id}`.
pub async fn get(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let id = JobId::new(id)?;
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path(&id))?;
    Ok(json_reply(&context.hub()?.job(&id)?.json()))
}

/// `POST /jobs/v2/{id}/cancel`.
pub async fn cancel(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let id = JobId::new(id)?;
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path(&id))?;
    Ok(json_reply(&context.hub()?.cancel_job(&id).await?.json()))
}

/// `GET /jobs/v2/query?jobType=&jobStatus=`: in pages, the newest job first. A continuation says how new the last job of
/// the page before was, so pages neither repeat nor leave out what was there all the time.
pub async fn query(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, "jobs/v2/query")?;
    let filter = Filter::read(head.uri.query().unwrap_or_default())?;
    let max = page_rows(&head.headers)?;
    let after = continuation(&head.headers)?;
    let mut jobs = context.hub()?.jobs(|job| filter.is_met(job))?;
    jobs.sort_by_key(place);
    let from = after.map_or(0, |after| jobs.partition_point(|job| place(job) <= after));
    let rest = &jobs[from..];
    let page = &rest[..rest.len().min(max)];
    let mut reply = json_reply(&page.iter().map(Job::json).collect());
    let headers = reply.headers_mut();
    headers.insert(ITEM_TYPE, HeaderValue::from_static("JobResponse"));
    if let Some(last) = page.last().filter(|_| page.len() < rest.len())
        && let Ok(value) = HeaderValue::from_str(&format!("{}/{}", last.created.0, last.id))
    {
        headers.insert(CONTINUATION, value);
    }
    Ok(reply)
}

/// Where a job stands in the list: newest first, then by id.
fn place(job: &Job) -> (u64, JobId) {
    (u64::MAX - job.created.0, job.id.clone())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    job_type: Option<JobType>,
    status: Option<JobStatus>,
}

impl Filter {
    /// Names compare without case; an empty value is none. What else stands in the query is not for us.
    fn read(query: &str) -> Result<Self, HubError> {
        let mut filter = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let wrong = || HubError::InvalidArgument(format!("{name} is no such word: {value:?}"));
            if value.is_empty() {
                continue;
            }
            if name.eq_ignore_ascii_case("jobType") {
                filter.job_type = Some(JobType::parse(value).ok_or_else(wrong)?);
            } else if name.eq_ignore_ascii_case("jobStatus") {
                filter.status = Some(JobStatus::parse(value).ok_or_else(wrong)?);
            }
        }
        Ok(filter)
    }

    fn is_met(&self, job: &Job) -> bool {
        self.job_type.is_none_or(|wanted| wanted == job.action.job_type())
            && self.status.is_none_or(|wanted| wanted == job.status)
    }
}

fn continuation(headers: &HeaderMap) -> Result<Option<(u64, JobId)>, HubError> {
    let Some(value) = headers.get(CONTINUATION).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let read = || {
        let (created, id) = value.to_str().ok()?.split_once('/')?;
        let created: u64 = created.parse().ok()?;
        Some((u64::MAX - created, JobId::new(id).ok()?))
    };
    let wrong = || HubError::InvalidArgument(format!("{CONTINUATION} is none of this hub's"));
    read().map(Some).ok_or_else(wrong)
}

/// The resource that a token's scope must cover.
fn path(id: &JobId) -> String {
    format!("jobs/v2/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_words_without_case_and_nothing_unknown() {
        let check = |query: &str, expected: Option<(Option<JobType>, Option<JobStatus>)>| {
            let read = Filter::read(query).ok().map(|filter| (filter.job_type, filter.status));
            assert_eq!(read, expected, "{query}");
        };
        check("", Some((None, None)));
        check("api-version=1&jobType=&jobStatus=", Some((None, None)));
        check("jobType=ScheduleUpdateTwin", Some((Some(JobType::UpdateTwin), None)));
        check(
            "jobtype=scheduleTwinUpdate&JOBSTATUS=Running",
            Some((Some(JobType::UpdateTwin), Some(JobStatus::Running))),
        );
        check("jobStatus=canceled", None);
        check("jobType=unknown", None);
    }

    #[test]
    fn a_page_begins_where_a_continuation_of_ours_says() {
        let headers = |value: &str| {
            HeaderMap::from_iter([(CONTINUATION, HeaderValue::from_str(value).unwrap())])
        };
        let id = JobId::new("j").unwrap();
        for (value, place) in [
            ("7/j", Some(Some((u64::MAX - 7, id)))),
            ("", Some(None)),
            ("7", None),
            ("x/j", None),
            ("7/a b", None),
        ] {
            assert_eq!(continuation(&headers(value)).ok(), place, "{value}");
        }
    }
}
