use super::*;

/// What the client makes of `answer`, which arrives in pieces of `piece` bytes.
fn answered(answer: &[u8], piece: usize) -> Result<Response, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(piece);
        let answer = answer.to_vec();
        let peer = tokio::spawn(async move {
            let mut request = [0; 4];
            far.read_exact(&mut request).await.unwrap();
            // A client that gives up early closes its end: not this peer's concern.
            let _ = far.write_all(&answer).await;
        });
        let got = HttpConnection::new(near).exchange(b"ask!").await;
        peer.abort();
        got.map_err(|error| error.to_string())
    })
}

#[test]
fn answers_are_read_whole_however_they_arrive() {
    let check = |answer: &str, status, keep_alive, body: &str| {
        let body = body.as_bytes().to_vec();
        let expected = Response { status, keep_alive, continuation: None, body };
        for piece in [1, 3, 7, 4096] {
            assert_eq!(answered(answer.as_bytes(), piece).as_ref(), Ok(&expected), "{answer}");
        }
    };
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true, "hello");
    check("HTTP/1.1 409 Conflict\r\ncontent-length:0\r\nConnection: close\r\n\r\n", 409, false, "");
    check("HTTP/1.1 204 No Content\r\n\r\n", 204, true, "");
    check(
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n",
        201,
        true,
        "abcde",
    );
}

#[test]
fn broken_answers_are_errors() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "closed before"),
        ("HTTP/1.1 200 OK\r\nContent-Len", "closed before"),
        ("SSH-2.0-x\r\n\r\n", "not understandable"),
        ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "not understandable"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "too long"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not understandable"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "not understandable"),
    ] {
        let error = answered(answer.as_bytes(), 4096).unwrap_err();
        assert!(error.contains(expected), "{answer:?}: {error}");
    }
}
