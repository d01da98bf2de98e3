use super::*;

fn check(request: &str, expected: &str) {
    let (method, path) = request.split_once(' ').unwrap();
    let found = match route(&method.parse().unwrap(), path) {
        Ok(matched) => format!("{:?} {:?}", matched.operation, matched.ids),
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(found, expected, "{request}");
}

#[test]
fn letter_case_and_a_trailing_slash_do_not_matter_but_the_case_of_ids_does() {
    check("GET /devices", "ListDevices []");
    check("GET /devices/", "ListDevices []");
    check("GET /DEVICES/Dev-1", r#"GetDevice ["Dev-1"]"#);
    check("PUT /Devices/dev1/", r#"PutDevice ["dev1"]"#);
    check("DELETE /devices/dev1", r#"DeleteDevice ["dev1"]"#);
}

#[test]
fn ids_are_decoded_once() {
    check("GET /devices/a%2Fb", r#"GetDevice ["a/b"]"#);
    check("GET /devices/a%252Fb", r#"GetDevice ["a%2Fb"]"#);
    check("GET /devices/a+b%2b", r#"GetDevice ["a+b+"]"#);
    check("GET /devices/%F0%9F%90%9D", r#"GetDevice ["🐝"]"#);
}

#[test]
fn a_path_that_is_encoded_as_a_whole_means_the_same() {
    check("GET /devices%2Fd1", r#"GetDevice ["d1"]"#);
    check("POST /devices%2fquery", "Query []");
    check("PATCH /twins%2Fd1%2Fmodules%2Fm1/", r#"PatchTwin ["d1", "m1"]"#);
    check("POST /twins%2Fa%3Ab%2Fmethods", r#"InvokeMethod ["a:b"]"#);
    check("GET /twins%2Fa%25b", r#"GetTwin ["a%b"]"#);
    check("GET /twins%2Fa%2525b", r#"GetTwin ["a%25b"]"#);
    check("GET /devices%2Fa%252Fb", r#"GetDevice ["a%2Fb"]"#);
    check("POST /devices%2Fa%253Ab%2Fmessages%2FdeviceBound", r#"SendC2d ["a:b"]"#);
    check("GET /devices%2Fd1%2Fx", r#"error: there is nothing at "devices/d1/x""#);
    check(
        "GET /devices%2F%zz",
        r#"error: the path has a broken percent-encoding: "devices%2F%zz""#,
    );
    check("GET /devices%2Fd1%2F%2F", r#"error: there is nothing at "devices/d1//""#);
}

#[test]
fn every_character_of_the_id_grammar_survives_encoding() {
    let id = "azAZ09-:.+%_#*?!(),=@$'";
    let encoded: String = id.bytes().map(|b| format!("%{b:02x}")).collect();
    check(&format!("GET /devices/{encoded}"), &format!("GetDevice [{id:?}]"));
}

#[test]
fn broken_percent_encoding_is_its_own_error() {
    for bad in ["%", "%4", "%zz", "a%4", "%c3%28", "%ff"] {
        let text = format!("error: the path has a broken percent-encoding: {bad:?}");
        check(&format!("GET /devices/{bad}"), &text);
    }
}

#[test]
fn fixed_names_win_over_ids_only_for_their_own_method() {
    check("POST /devices/query", "Query []");
    check("GET /devices/query", r#"GetDevice ["query"]"#);
    check("GET /jobs/v2", r#"GetTransfer ["v2"]"#);
    check("POST /jobs/create", "CreateTransfer []");
}

#[test]
fn a_known_path_with_a_wrong_method_names_the_right_ones() {
    check("PATCH /devices/d1", "error: PATCH is not allowed here, only GET, PUT, DELETE");
    check("DELETE /devices", "error: DELETE is not allowed here, only GET, POST");
    check("GET /devices/d1/files", "error: GET is not allowed here, only POST");
}

#[test]
fn what_is_nowhere_is_unknown() {
    for path in ["/", "/device", "/devices//", "/devices/d1/x", "//devices", "/twins"] {
        let shown = path.trim_start_matches('/').trim_end_matches('/');
        let Err(RouteError::UnknownPath(echoed)) = route(&Method::GET, path) else {
            panic!("{path} was found")
        };
        assert!(echoed.contains(shown), "{path}");
    }
}

#[test]
fn long_paths_are_not_echoed_whole() {
    let path = format!("/{}", "x".repeat(5000));
    let Err(error) = route(&Method::GET, &path) else { panic!("found") };
    assert!(error.to_string().len() < 300);
}
