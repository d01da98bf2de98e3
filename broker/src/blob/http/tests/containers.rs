//! Containers: their life, their lists, and what is said of their blobs.

use super::*;
use crate::blob::ContainerName;
use crate::blob::sas::ALL;
use crate::blob::service::ACCOUNT;

impl Endpoint {
    /// A request with the account's token: `METHOD path[?query]`, then headers, one a line.
    async fn account(&self, request: &str, body: &str) -> Answer {
        let token = self.service.key.token(Resource::Account, ALL, UNTIL);
        self.ask(&signed(request, &token), body).await
    }
}

/// The request with a token behind its query, and the account before its path.
fn signed(request: &str, token: &str) -> String {
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let (method, path) = line.split_once(' ').unwrap();
    let token = token.trim_start_matches('?');
    let join = if path.contains('?') { '&' } else { '?' };
    format!("{method} /{ACCOUNT}{path}{join}{token}\n{headers}")
}

async fn check(endpoint: &Endpoint, request: &str, expected: &str) -> Answer {
    let answer = endpoint.account(request, "").await;
    assert_eq!(answer.summary(), expected, "{request}");
    answer
}

const TYPED: &str = "\nx-ms-blob-type: BlockBlob";

#[tokio::test]
async fn a_container_is_made_looked_at_changed_and_deleted() {
    let endpoint = Endpoint::new();
    let here = "/abc?restype=container";
    check(&endpoint, &format!("HEAD {here}"), "404 ContainerNotFound").await;
    check(&endpoint, "PUT /abc/a\nx-ms-blob-type: BlockBlob", "404 ContainerNotFound").await;
    check(&endpoint, &format!("PUT {here}\nx-ms-meta-A: 1"), "201").await;
    check(&endpoint, &format!("PUT {here}"), "409 ContainerAlreadyExists").await;
    let made = check(&endpoint, &format!("GET {here}"), "200").await;
    assert_eq!((made.header("x-ms-meta-a"), made.header("x-ms-lease-state")), ("1", "available"));
    let etag = made.header("etag");
    let metadata = format!("PUT {here}&comp=metadata");
    check(&endpoint, &format!("{metadata}\nIf-Match: \"0x1\""), "412 ConditionNotMet").await;
    check(&endpoint, &format!("{metadata}\nIf-Match: {etag}\nx-ms-meta-b: 2"), "200").await;
    let changed = check(&endpoint, &format!("HEAD {here}&comp=metadata"), "200").await;
    assert_eq!((changed.header("x-ms-meta-a"), changed.header("x-ms-meta-b")), ("", "2"));
    check(&endpoint, &format!("PUT /abc/a{TYPED}"), "201").await;
    check(&endpoint, &format!("DELETE {here}\nIf-Match: {etag}"), "412 ConditionNotMet").await;
    check(&endpoint, &format!("DELETE {here}"), "202").await;
    check(&endpoint, &format!("DELETE {here}"), "404 ContainerNotFound").await;
    check(&endpoint, "GET /abc/a", "404 ContainerNotFound").await;
    check(&endpoint, "GET /abc?restype=container&comp=list", "404 ContainerNotFound").await;
    check(&endpoint, &format!("PUT {here}"), "201").await;
    check(&endpoint, "GET /abc/a", "404 BlobNotFound").await;
}

#[tokio::test]
async fn what_makes_no_sense_of_a_container_is_refused() {
    let endpoint = Endpoint::new();
    check(&endpoint, "PUT /abc?restype=container", "201").await;
    let own = format!("DELETE /{CONTAINER}?restype=container");
    for (request, expected) in [
        ("PUT /AB?restype=container", "400 InvalidResourceName"),
        ("PUT /..?restype=container", "400 InvalidResourceName"),
        ("PUT /%2e%2e?restype=container", "400 InvalidResourceName"),
        ("PUT /a%2Fb?restype=container", "400 InvalidResourceName"),
        ("PUT /abc/d?restype=container", "400 InvalidUri"),
        ("PUT /new?restype=container\nx-ms-blob-public-access: blob", "400 InvalidHeaderValue"),
        ("PUT /new?restype=container\nx-ms-meta-: x", "400 EmptyMetadataKey"),
        ("PUT /abc?restype=container&comp=acl", "400 InvalidQueryParameterValue"),
        ("PUT /abc?restype=container&comp=lease", "400 InvalidQueryParameterValue"),
        ("GET /?restype=service&comp=properties", "400 InvalidQueryParameterValue"),
        ("GET /?restype=account&comp=properties", "400 InvalidQueryParameterValue"),
        ("PUT /?restype=container", "405 UnsupportedHttpVerb"),
        ("GET /abc?comp=list", "405 UnsupportedHttpVerb"),
        ("GET /abc?restype=container&comp=list&maxresults=0", "400 InvalidQueryParameterValue"),
        ("GET /abc?restype=container&comp=list&maxresults=x", "400 InvalidQueryParameterValue"),
        ("GET /abc?restype=container&comp=list&marker=!", "400 InvalidQueryParameterValue"),
        ("GET /abc?restype=container&comp=list&include=all", "400 InvalidQueryParameterValue"),
        (
            "GET /abc?restype=container&comp=list&prefix=a&prefix=b",
            "400 InvalidQueryParameterValue",
        ),
        ("PUT /abc/nothing?comp=metadata", "404 BlobNotFound"),
        ("PUT /abc/nothing?comp=properties", "404 BlobNotFound"),
        (&own, "403 AuthorizationFailure"),
    ] {
        check(&endpoint, request, expected).await;
    }
}

#[tokio::test]
async fn lists_are_paged_by_name_and_cut_at_a_delimiter() {
    let endpoint = Endpoint::new();
    check(&endpoint, "PUT /abc?restype=container", "201").await;
    for name in ["b", "a/2", "a%261", "a/1/x", "a/1/y"] {
        let put = format!("PUT /abc/{name}{TYPED}\nx-ms-meta-ownerid: <me>\nx-ms-meta-1: 2");
        check(&endpoint, &put, "201").await;
    }
    let names = async |query: &str| {
        let request = format!("GET /abc?restype=container&comp=list{query}");
        let answer = check(&endpoint, &request, "200").await;
        let part = |text: &str, from: &str| -> Vec<String> {
            let found = text.split(from).skip(1);
            found.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
        };
        let text = answer.text().to_owned();
        (part(&text, "<Name>"), part(&text, "<NextMarker>").remove(0))
    };
    let all = ["a&amp;1", "a/1/x", "a/1/y", "a/2", "b"];
    assert_eq!(names("").await, (all.map(str::to_owned).into(), String::new()));
    let (mut seen, mut marker) = (Vec::new(), String::new());
    for _ in 0..3 {
        let (page, next) = names(&format!("&maxresults=2&marker={marker}")).await;
        seen.extend(page);
        marker = next;
    }
    assert_eq!((seen.as_slice(), marker.as_str()), (all.map(str::to_owned).as_slice(), ""));
    assert_eq!(names("&prefix=a/").await.0, ["a/1/x", "a/1/y", "a/2"]);
    assert_eq!(names("&delimiter=/").await.0, ["a&amp;1", "a/", "b"]);
    assert_eq!(names("&delimiter=/&prefix=a/").await.0, ["a/1/", "a/2"]);
    let (page, marker) = names("&delimiter=/&maxresults=2").await;
    assert_eq!(page, ["a&amp;1", "a/"]);
    assert_eq!(names(&format!("&delimiter=/&marker={marker}")).await.0, ["b"]);

    let plain = check(&endpoint, "GET /abc?restype=container&comp=list", "200").await;
    assert!(!plain.text().contains("<Metadata>"));
    let request = "GET /abc?restype=container&comp=list&include=metadata&prefix=b";
    let with = check(&endpoint, request, "200").await;
    // A name that XML does not allow for an element is left out.
    assert!(
        with.text().contains("<Metadata><ownerid>&lt;me&gt;</ownerid></Metadata>"),
        "{}",
        with.text()
    );
    let etag = check(&endpoint, "HEAD /abc/b", "200").await;
    let etag = etag.header("etag").trim_matches('"').to_owned();
    assert!(with.text().contains(&format!("<Etag>{etag}</Etag>")), "{}", with.text());
    let containers = check(&endpoint, "GET /?comp=list", "200").await;
    for name in ["abc", CONTAINER] {
        assert!(containers.text().contains(&format!("<Container><Name>{name}</Name>")));
    }
}

#[tokio::test]
async fn one_of_two_writers_with_the_same_etag_wins() {
    let endpoint = Endpoint::new();
    check(&endpoint, "PUT /abc?restype=container", "201").await;
    let made = check(&endpoint, &format!("PUT /abc/a{TYPED}\nIf-None-Match: *"), "201").await;
    let claim = format!("PUT /abc/a?comp=metadata\nIf-Match: {}", made.header("etag"));
    check(&endpoint, &format!("{claim}\nx-ms-meta-ownerid: one"), "200").await;
    check(&endpoint, &format!("{claim}\nx-ms-meta-ownerid: two"), "412 ConditionNotMet").await;
    let again = "PUT /abc/a?comp=metadata\nIf-None-Match: *";
    check(&endpoint, again, "409 BlobAlreadyExists").await;
    let facts = check(&endpoint, "HEAD /abc/a", "200").await;
    assert_eq!(facts.header("x-ms-meta-ownerid"), "one");
}

#[tokio::test]
async fn a_containers_token_makes_it_and_does_not_end_it() {
    let endpoint = Endpoint::new();
    let name = ContainerName::new("abc").unwrap();
    let token = endpoint.service.key.token(Resource::Container(&name), ALL, UNTIL);
    for (request, expected) in [
        ("PUT /abc?restype=container", "201"),
        ("PUT /abc/a\nx-ms-blob-type: BlockBlob", "201"),
        ("GET /abc?restype=container&comp=list", "200"),
        ("GET /abc?restype=container", "200"),
        ("PUT /abc?restype=container&comp=metadata", "403 AuthorizationPermissionMismatch"),
        ("DELETE /abc?restype=container", "403 AuthorizationPermissionMismatch"),
        ("PUT /other?restype=container", "403 AuthenticationFailed"),
        ("GET /?comp=list", "403 AuthenticationFailed"),
        ("DELETE /abc/a", "202"),
    ] {
        let answer = endpoint.ask(&signed(request, &token), "").await;
        assert_eq!(answer.summary(), expected, "{request}");
    }
}
