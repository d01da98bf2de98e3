//! `/certificates` and `/certificates/{name}`: the authorities that devices may be certified by (device-protocols.md 1.5).
//! [choice: the original offers this through its management plane only; paths and JSON are those of that, and it takes a
//! policy with every permission, which `iothubowner` is]
//!
//! ```json
//! {"properties":{"certificate":"{base64 of the PEM}","isVerified":true}}
//! ```

use std::pin::Pin;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderValue};
use ironhub_domain::HubError;
use ironhub_domain::auth::{Authority, Permissions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{allow, if_match, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body::{self, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, Reply};
use crate::http::handle::wall_clock;
use crate::http::object::Object;
use crate::net::x509::UploadedAuthority;

#[derive(Deserialize)]
struct CertificateBody {
    properties: Object<CertificateProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateProperties {
    certificate: String,
    /// The owner vouches for it. Without this, nobody can use the authority.
    #[serde(default)]
    is_verified: bool,
}

/// `GET /certificates`.
pub async fn list(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, "certificates")?;
    let authorities = context.hub()?.authorities();
    let value: Vec<Value> = authorities.iter().map(write).collect();
    Ok(json_reply(&json!({ "value": value })))
}

/// `GET /certificates/{name}`.
pub async fn get(name: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, &path(name))?;
    let authorities = context.hub()?.authorities();
    let found = authorities.iter().find(|authority| authority.is_named(name));
    Ok(reply(found.ok_or_else(|| HubError::CertificateNotFound(name.to_owned()))?))
}

/// `PUT /certificates/{name}`: 201 for a new one, 200 for a changed one.
pub async fn put<B>(
    name: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::ALL, &path(name))?;
    let condition = if_match(&head.headers)?;
    let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
    let authority = read(name, &text)?;
    let authority = context.hub()?.put_authority(authority, condition).await?;
    let mut reply = reply(&authority);
    if authority.created == authority.updated {
        *reply.status_mut() = StatusCode::CREATED;
    }
    Ok(reply)
}

/// `DELETE /certificates/{name}`.
pub async fn delete(name: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, &path(name))?;
    context.hub()?.delete_authority(name, if_match(&head.headers)?).await?;
    Ok(no_content())
}

fn path(name: &str) -> String {
    format!("certificates/{name}")
}

/// What the body asks for; ETag and times are the hub's to give.
fn read(name: &str, body: &[u8]) -> Result<Authority, HttpError> {
    let Object(body): Object<CertificateBody> = serde_json::from_slice(body).map_err(|error| {
        HttpError::Json(format!("the body is not a certificate in JSON: {error}"))
    })?;
    let Object(properties) = body.properties;
    let now = wall_clock();
    let uploaded = UploadedAuthority::parse(&properties.certificate, now)
        .map_err(|error| HubError::InvalidArgument(error.to_string()))?;
    Ok(Authority {
        name: name.to_owned(),
        certificate: uploaded.certificate,
        subject: uploaded.subject,
        thumbprint: uploaded.thumbprint,
        expires: uploaded.expires,
        verified: properties.is_verified,
        etag: String::new(),
        created: now,
        updated: now,
    })
}

fn write(authority: &Authority) -> Value {
    json!({
        "name": authority.name,
        "etag": authority.etag,
        "properties": {
            "subject": authority.subject,
            "thumbprint": authority.thumbprint,
            "expiry": authority.expires.iso8601(),
            "isVerified": authority.verified,
            "created": authority.created.iso8601(),
            "updated": authority.updated.iso8601(),
            "certificate": BASE64_STANDARD.encode(&authority.certificate),
        },
    })
}

fn reply(authority: &Authority) -> Reply {
    let mut reply = json_reply(&write(authority));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", authority.etag)) {
        reply.headers_mut().insert(ETAG, etag);
    }
    reply
}

#[cfg(test)]
mod tests {
    use ironhub_domain::auth::Authority;

    use super::*;
    use crate::net::x509::UploadError;

    fn check(body: &str, expected: &str) {
        let found = match read("ca", body.as_bytes()) {
            Ok(Authority { name, verified, .. }) => format!("{name} {verified}"),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{body}: {found}");
    }

    #[test]
    fn what_is_no_authority_is_refused_and_nobody_vouches_by_default() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        let device = params.self_signed(&key).unwrap().pem();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let body = |certificate: &str, more: Value| {
            let mut properties = json!({ "certificate": certificate });
            properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "properties": properties, "name": "ignored" }).to_string()
        };
        check(&body(&pem, json!({})), "ca false");
        check(&body(&BASE64_STANDARD.encode(&pem), json!({"isVerified": true})), "ca true");
        check(&body(&device, json!({})), &UploadError::NotAuthority.to_string());
        check(&body("?", json!({})), &UploadError::Encoding.to_string());
        let not_json = "the body is not a certificate in JSON";
        check(&body(&pem, json!({"isVerified": "yes"})), not_json);
        for body in ["", "{}", "[]", r#"{"properties":{}}"#, r#"{"properties":{"certificate":7}}"#]
        {
            check(body, not_json);
        }
    }
}
