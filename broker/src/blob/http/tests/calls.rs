//! What the storage clients do, each operation with the answers they read.

use super::*;
use crate::blob::checksum::md5_of;

#[test]
fn only_paths_below_the_container_are_taken() {
    for (path, taken) in [
        ("/ironhub-uploads", true),
        ("/ironhub-uploads/", true),
        ("/ironhub-uploads/d1/a", true),
        ("/ironhub-uploads2/d1/a", false),
        ("/IRONHUB-UPLOADS/d1/a", false),
        ("/devices/ironhub-uploads", false),
        ("ironhub-uploads/d1/a", false),
        ("/", false),
        ("", false),
    ] {
        assert_eq!(handles(path), taken, "{path}");
    }
}

#[tokio::test]
async fn a_blob_is_put_read_looked_at_and_deleted() {
    let endpoint = Endpoint::new();
    let url = endpoint.url("d1/my file.txt", "");
    let put = endpoint
        .ask(
            &format!(
                "PUT {url}\nx-ms-blob-type: BlockBlob\nIf-None-Match: *\nContent-Type: text/plain\n\
                 x-ms-meta-Source: camera\nx-ms-version: 2026-10-06\nx-ms-client-request-id: mine"
            ),
            "hello blob",
        )
        .await;
    assert_eq!(put.summary(), "201");
    let md5 = md5_of(b"hello blob");
    assert_eq!(put.header("content-md5"), md5);
    assert_eq!(put.header("x-ms-request-server-encrypted"), "true");
    assert_eq!(put.header("last-modified"), "Fri, 02 Jan 2026 03:04:05 GMT");
    assert_eq!(put.header("x-ms-version"), "2026-10-06");
    assert_eq!(put.header("x-ms-client-request-id"), "mine");
    assert_eq!(put.header("x-ms-request-id").len(), 36);
    let etag = put.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"'));

    let get = endpoint.get("d1/my file.txt", "").await;
    assert_eq!((get.summary().as_str(), get.text()), ("200", "hello blob"));
    let head = endpoint.ask(&format!("HEAD {url}"), "").await;
    assert_eq!((head.summary().as_str(), head.text()), ("200", ""));
    for answer in [&get, &head] {
        for (name, value) in [
            ("content-length", "10"),
            ("content-type", "text/plain"),
            ("content-md5", &md5),
            ("etag", etag),
            ("last-modified", "Fri, 02 Jan 2026 03:04:05 GMT"),
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-meta-source", "camera"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }

    let delete = endpoint.url_for("d1/my file.txt", "d", "");
    assert_eq!(endpoint.ask(&format!("DELETE {delete}"), "").await.summary(), "202");
    assert_eq!(endpoint.get("d1/my file.txt", "").await.summary(), "404 BlobNotFound");
    assert_eq!(endpoint.files(), 0);
}

#[tokio::test]
async fn an_encoded_slash_is_a_slash() {
    let endpoint = Endpoint::new();
    let url = endpoint.url("d1/a b/c", "").replacen("d1/a%20b/c", "d1%2Fa%20b%2fc", 1);
    let put = endpoint.ask(&format!("PUT {url}\nx-ms-blob-type: BlockBlob"), "x").await;
    assert_eq!(put.summary(), "201");
    assert_eq!(endpoint.get("d1/a b/c", "").await.text(), "x");
}

#[tokio::test]
async fn a_name_is_taken_only_once_by_who_asks_for_that() {
    let endpoint = Endpoint::new();
    assert_eq!(endpoint.put("d1/a", "first").await.summary(), "201");
    let url = endpoint.url("d1/a", "");
    let list = endpoint.url("d1/a", "comp=blocklist&");
    let xml = "<BlockList></BlockList>";
    for (request, body) in [
        (format!("PUT {url}\nx-ms-blob-type: BlockBlob\nIf-None-Match: *"), "second"),
        (format!("PUT {list}\nIf-None-Match: *"), xml),
    ] {
        let again = endpoint.ask(&request, body).await;
        assert_eq!(again.summary(), "409 BlobAlreadyExists");
    }
    let create = endpoint.url_for("d1/a", "c", "");
    let again = endpoint.ask(&format!("PUT {create}\nx-ms-blob-type: BlockBlob"), "x").await;
    assert_eq!(again.summary(), "409 BlobAlreadyExists");
    assert_eq!(endpoint.get("d1/a", "").await.text(), "first");
    assert_eq!(endpoint.put("d1/a", "second").await.summary(), "201");
    assert_eq!(endpoint.get("d1/a", "").await.text(), "second");
    assert_eq!(endpoint.get("d1/a", "\nIf-Match: \"0x1\"").await.summary(), "412 ConditionNotMet");
    let etag = endpoint.get("d1/a", "").await.header("etag").to_owned();
    let same = endpoint.get("d1/a", &format!("\nIf-None-Match: {etag}")).await;
    assert_eq!((same.status, same.text()), (304, ""));
}

#[tokio::test]
async fn blocks_and_a_list_make_a_blob() {
    let endpoint = Endpoint::new();
    // Ids as the Python, the Node and the C client make them: long, with padding, short.
    for (blob, ids) in [
        (
            "d1/python",
            [
                "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw",
                "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx",
            ],
        ),
        ("d1/node", ["ZjE2ZDhlNDMtMDAwMDAwMDA=", "ZjE2ZDhlNDMtMDAwMDAwMDE="]),
        ("d1/c", ["MDAwMDAw", "MDAwMDAx"]),
    ] {
        let [first, second] = ids;
        let block = endpoint.put_block(blob, first, "one,").await;
        assert_eq!(block.summary(), "201");
        assert_eq!(block.header("x-ms-request-server-encrypted"), "true");
        assert_eq!(block.header("etag"), "");
        assert_eq!(endpoint.put_block(blob, second, "two").await.summary(), "201");
        assert_eq!(endpoint.get(blob, "").await.summary(), "404 BlobNotFound");
        let lists = endpoint.url(blob, "comp=blocklist&blocklisttype=all&");
        let waiting = endpoint.ask(&format!("GET {lists}"), "").await;
        assert!(waiting.text().contains("<CommittedBlocks></CommittedBlocks><UncommittedBlocks>"));
        assert!(waiting.text().contains(&format!("<Name>{first}</Name><Size>4</Size>")));
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>{first}</Latest>\
             <Latest>{second}</Latest></BlockList>"
        );
        let list = endpoint.put_list(blob, &xml).await;
        assert_eq!(list.summary(), "201");
        assert!(!list.header("etag").is_empty() && !list.header("last-modified").is_empty());
        let get = endpoint.get(blob, "").await;
        assert_eq!(
            (get.text(), get.header("content-type")),
            ("one,two", "application/octet-stream")
        );
        let lists = endpoint.url(blob, "comp=blocklist&");
        let committed = endpoint.ask(&format!("GET {lists}"), "").await;
        assert!(committed.text().contains(&format!("<Name>{second}</Name><Size>3</Size>")));
        assert!(!committed.text().contains("Uncommitted"));
    }
}

#[tokio::test]
async fn ranges_cross_the_borders_of_blocks() {
    let endpoint = Endpoint::new();
    // Longer than what is read at a time.
    let parts = ["a", "b", "c"].map(|letter| letter.repeat(CHUNK * 3 / 2));
    let whole = parts.concat();
    let ids = ["MDAw", "MDAx", "MDAy"];
    for (id, part) in ids.iter().zip(&parts) {
        assert_eq!(endpoint.put_block("d1/a", id, part.as_bytes()).await.summary(), "201");
    }
    let latest: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
    let list = endpoint.put_list("d1/a", &format!("<BlockList>{latest}</BlockList>")).await;
    assert_eq!(list.summary(), "201");
    assert_eq!(endpoint.get("d1/a", "").await.text(), whole);
    let (part, size) = (parts[0].len(), whole.len());
    for (first, last) in
        [(0, 0), (part - 1, part), (part / 2, size - 1), (part, 2 * part - 1), (5, 9)]
    {
        for header in ["Range", "x-ms-range"] {
            let get = endpoint.get("d1/a", &format!("\n{header}: bytes={first}-{last}")).await;
            assert_eq!(get.summary(), "206");
            assert_eq!(get.text(), &whole[first..=last], "{first}-{last}");
            assert_eq!(get.header("content-range"), format!("bytes {first}-{last}/{size}"));
            assert_eq!(get.header("content-length"), (last - first + 1).to_string());
        }
    }
    let both = endpoint.get("d1/a", "\nRange: bytes=0-0\nx-ms-range: bytes=1-2").await;
    assert_eq!(both.header("content-range"), format!("bytes 1-2/{size}"));
    let behind = endpoint.get("d1/a", &format!("\nRange: bytes={size}-")).await;
    assert_eq!(behind.summary(), "416 InvalidRange");
    assert_eq!(behind.header("content-range"), format!("bytes */{size}"));
    let summed =
        endpoint.get("d1/a", "\nx-ms-range: bytes=1-9\nx-ms-range-get-content-md5: true").await;
    assert_eq!(summed.header("content-md5"), md5_of(&whole.as_bytes()[1..=9]));
    assert_eq!(summed.text(), &whole[1..=9]);
}

const CHUNK: usize = crate::blob::CHUNK_BYTES;

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let endpoint = Endpoint::new();
    assert_eq!(endpoint.put("d1/empty", "").await.summary(), "201");
    let get = endpoint.get("d1/empty", "").await;
    assert_eq!((get.status, get.header("content-length"), get.text()), (200, "0", ""));
    let ranged = endpoint.get("d1/empty", "\nx-ms-range: bytes=0-33554431").await;
    assert_eq!(ranged.summary(), "416 InvalidRange");
}
