//! Bad input: each operation with each way to get it wrong, and that none leaves anything behind.

use super::*;
use crate::blob::name::NAME_CHARS_MAX;

#[tokio::test]
async fn nothing_opens_without_a_token_for_this_blob_and_operation() {
    let endpoint = Endpoint::new();
    endpoint.put("d1/a", "secret").await;
    let files = endpoint.files();
    let read = endpoint.url_for("d1/a", "r", "");
    let write = endpoint.url_for("d1/a", "w", "");
    let other = endpoint.url("d1/other", "").replacen("d1/other", "d1/a", 1);
    let put = "\nx-ms-blob-type: BlockBlob";
    for (request, expected) in [
        (format!("GET /{CONTAINER}/d1/a"), "403 AuthenticationFailed"),
        (format!("HEAD /{CONTAINER}/d1/a"), "403 AuthenticationFailed"),
        (format!("PUT /{CONTAINER}/d1/a{put}"), "403 AuthenticationFailed"),
        (format!("DELETE /{CONTAINER}/d1/a"), "403 AuthenticationFailed"),
        (format!("GET {other}"), "403 AuthenticationFailed"),
        (format!("GET {}", read.replacen("sp=r", "sp=rwd", 1)), "403 AuthenticationFailed"),
        (format!("GET {}", read.replacen("se=2026", "se=2096", 1)), "403 AuthenticationFailed"),
        (format!("GET {}", read.replacen("/d1/a", "/d1/A", 1)), "403 AuthenticationFailed"),
        (format!("GET {write}"), "403 AuthorizationPermissionMismatch"),
        (format!("PUT {read}{put}"), "403 AuthorizationPermissionMismatch"),
        (format!("DELETE {}", endpoint.url("d1/a", "")), "403 AuthorizationPermissionMismatch"),
        // A token is good for one blob, never for the container.
        (
            format!("GET {}", read.replacen("/d1/a?", "?restype=container&comp=list&", 1)),
            "403 AuthenticationFailed",
        ),
        (format!("GET {}", read.replacen("/d1/a?", "?", 1)), "400 InvalidUri"),
    ] {
        assert_eq!(endpoint.ask(&request, "x").await.summary(), expected, "{request}");
    }
    let late = UnixMs(UNTIL.0);
    let request = Request::builder().uri(&read).body(Full::<Bytes>::default()).unwrap();
    let reply = handle(request, &endpoint.service, late).await;
    assert_eq!(reply.headers()["x-ms-error-code"], "AuthenticationFailed");
    assert_eq!(endpoint.get("d1/a", "").await.text(), "secret");
    assert_eq!(endpoint.files(), files);
}

#[tokio::test]
async fn path_tricks_are_refused_whatever_token_they_bring() {
    let endpoint = Endpoint::new();
    let token = endpoint.url("d1/a", "").split_once('?').unwrap().1.to_owned();
    let long = "a".repeat(NAME_CHARS_MAX);
    for name in [
        "",
        "..",
        "../blob.key",
        "d1/../../blob.key",
        "d1/%2e%2e/%2e%2e/blob.key",
        "d1%2F..%2F..%2Fblob.key",
        "d1/..%5C..%5Cblob.key",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "d1/a%00",
        "d1/%",
        "d1/%ff",
        "d1/",
        "d1/./a",
        &format!("d1/{long}"),
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let request =
                format!("{method} /{CONTAINER}/{name}?{token}\nx-ms-blob-type: BlockBlob");
            assert_eq!(endpoint.ask(&request, "x").await.summary(), "400 InvalidUri", "{request}");
        }
    }
    assert_eq!(endpoint.files(), 0);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_and_leave_nothing() {
    let endpoint = Endpoint::new();
    let plain = endpoint.url("d1/a", "");
    let with = |extra: &str| endpoint.url("d1/a", extra);
    let typed = "x-ms-blob-type: BlockBlob";
    let too_long = "A".repeat(92);
    for (request, body, expected) in [
        (format!("PUT {plain}"), "x", "400 MissingRequiredHeader"),
        (format!("PUT {plain}\nx-ms-blob-type: PageBlob"), "x", "400 InvalidHeaderValue"),
        (
            format!("PUT {plain}\n{typed}\nx-ms-copy-source: https://x.test/y"),
            "",
            "400 InvalidHeaderValue",
        ),
        (
            format!("PUT {plain}\n{typed}\nx-ms-structured-body: XSM/1.0"),
            "x",
            "400 InvalidHeaderValue",
        ),
        (
            format!("PUT {plain}\n{typed}\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA=="),
            "x",
            "400 Md5Mismatch",
        ),
        (
            format!("PUT {plain}\n{typed}\nx-ms-content-crc64: AAAAAAAAAAA="),
            "x",
            "400 Crc64Mismatch",
        ),
        (format!("PUT {plain}\n{typed}\nIf-Match: \"0x1\""), "x", "412 ConditionNotMet"),
        (format!("PUT {}", with("comp=block&")), "x", "400 InvalidQueryParameterValue"),
        (format!("PUT {}", with("comp=block&blockid=&")), "x", "400 InvalidQueryParameterValue"),
        (format!("PUT {}", with("comp=block&blockid=*&")), "x", "400 InvalidQueryParameterValue"),
        (
            format!("PUT {}", with(&format!("comp=block&blockid={too_long}&"))),
            "x",
            "400 InvalidQueryParameterValue",
        ),
        (
            format!("PUT {}", with("comp=block&blockid=AAAA&blockid=BBBB&")),
            "x",
            "400 InvalidQueryParameterValue",
        ),
        (
            format!("PUT {}\nContent-MD5: AAAA", with("comp=block&blockid=AAAA&")),
            "x",
            "400 Md5Mismatch",
        ),
        (format!("PUT {}", with("comp=blocklist&")), "no xml", "400 InvalidXmlDocument"),
        (format!("PUT {}", with("comp=blocklist&")), "", "400 InvalidXmlDocument"),
        (
            format!("PUT {}", with("comp=blocklist&")),
            "<BlockList><Latest>?</Latest></BlockList>",
            "400 InvalidBlockList",
        ),
        (
            format!("PUT {}", with("comp=blocklist&")),
            "<BlockList><Latest>AAAA</Latest></BlockList>",
            "400 InvalidBlockList",
        ),
        (
            format!("GET {}", with("comp=blocklist&blocklisttype=every&")),
            "",
            "400 InvalidQueryParameterValue",
        ),
        (format!("GET {}", with("comp=blocklist&")), "", "404 BlobNotFound"),
        (format!("GET {plain}"), "", "404 BlobNotFound"),
        (format!("HEAD {plain}"), "", "404 BlobNotFound"),
        (
            format!("PUT {}\n{typed}", with("comp=block&comp=blocklist&")),
            "x",
            "400 InvalidQueryParameterValue",
        ),
        (format!("PUT {}", with("comp=page&")), "", "400 InvalidQueryParameterValue"),
        (format!("PUT {}", with("comp=lease&")), "", "400 InvalidQueryParameterValue"),
        (
            format!("GET {}", with("snapshot=2026-01-01T00:00:00Z&")),
            "",
            "400 InvalidQueryParameterValue",
        ),
        (format!("POST {plain}"), "x", "405 UnsupportedHttpVerb"),
        (format!("OPTIONS {plain}"), "", "405 UnsupportedHttpVerb"),
    ] {
        let answer = endpoint.ask(&request, body).await;
        assert_eq!(answer.summary(), expected, "{request}");
        assert!(!answer.header("x-ms-request-id").is_empty());
    }
    assert_eq!(endpoint.files(), 0);
}

#[tokio::test]
async fn an_id_of_another_length_is_refused_and_the_waiting_blocks_stay() {
    let endpoint = Endpoint::new();
    assert_eq!(endpoint.put_block("d1/a", "AAAA", "x").await.summary(), "201");
    assert_eq!(
        endpoint.put_block("d1/a", "AAAAAA==", "y").await.summary(),
        "400 InvalidBlobOrBlock"
    );
    let xml = "<BlockList><Latest>AAAA</Latest></BlockList>";
    assert_eq!(endpoint.put_list("d1/a", xml).await.summary(), "201");
    assert_eq!(endpoint.get("d1/a", "").await.text(), "x");
}

#[tokio::test]
async fn a_full_disk_takes_no_upload_and_keeps_what_it_has() {
    let endpoint = Endpoint::new();
    assert_eq!(endpoint.put("d1/a", "kept").await.summary(), "201");
    let files = endpoint.files();
    // The reserve of messages, the quarter above it, and one byte too few.
    endpoint.free.store(RESERVE + RESERVE / 4 + 9, Ordering::Relaxed);
    let full = "507 InsufficientStorage";
    assert_eq!(endpoint.put("d1/a", "ten bytes!").await.summary(), full);
    assert_eq!(endpoint.put_block("d1/b", "AAAA", "ten bytes!").await.summary(), full);
    assert_eq!(endpoint.files(), files);
    assert_eq!(endpoint.get("d1/a", "").await.text(), "kept");
    endpoint.free.fetch_add(1, Ordering::Relaxed);
    assert_eq!(endpoint.put("d1/a", "ten bytes!").await.summary(), "201");
}
