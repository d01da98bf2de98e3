use super::*;

#[test]
fn the_request_encodes_the_id_in_the_path_and_not_in_the_body() {
    let request = String::from_utf8(put_device("hub", "token", "a#1")).unwrap();
    assert!(
        request.starts_with("PUT /devices/a%231?api-version=2021-04-12 HTTP/1.1\r\nHost: hub\r\n")
    );
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["deviceId"], "a#1");
}
