use super::*;

fn twin() -> Twin {
    Twin::new(UnixMs(0))
}

#[test]
fn a_new_twin_is_as_the_documentation_shows_it() {
    let twin = twin();
    assert_eq!(
        Value::Object(twin.service_view()),
        value(
            r#"{"etag":"AAAAAAAAAAE=","version":2,"tags":{},"properties":{
                "desired":{"$metadata":{"$lastUpdated":"1970-01-01T00:00:00.000Z"},"$version":1},
                "reported":{"$metadata":{"$lastUpdated":"1970-01-01T00:00:00.000Z"},"$version":1}}}"#
        )
    );
    assert_eq!(
        twin.device_view(),
        r#"{"desired":{"$version":1},"reported":{"$version":1}}"#.as_bytes()
    );
    assert_eq!(twin.missed(), None);
}

#[test]
fn every_level_says_when_it_was_changed() {
    let desired = |body: &str| format!(r#"{{"properties":{{"desired":{body}}}}}"#);
    let one =
        update(&twin(), patch(&desired(r#"{"a":{"b":{"x":1,"y":2},"c":[1,{"z":1}]}}"#)), 1000);
    let two = update(&one.twin, patch(&desired(r#"{"a":{"b":{"x":null}}}"#)), 2000);
    let twin = report(&two.twin, r#"{"r":{"s":1}}"#, 3000);
    let properties = &Value::Object(twin.service_view())["properties"];
    assert_eq!(
        properties["desired"],
        value(
            r#"{"a":{"b":{"y":2},"c":[1,{"z":1}]},"$version":3,"$metadata":{
                "$lastUpdated":"1970-01-01T00:00:02.000Z","$lastUpdatedVersion":3,
                "a":{"$lastUpdated":"1970-01-01T00:00:02.000Z","$lastUpdatedVersion":3,
                     "b":{"$lastUpdated":"1970-01-01T00:00:02.000Z","$lastUpdatedVersion":3,
                          "y":{"$lastUpdated":"1970-01-01T00:00:01.000Z","$lastUpdatedVersion":2}},
                     "c":{"$lastUpdated":"1970-01-01T00:00:01.000Z","$lastUpdatedVersion":2}}}}"#
        )
    );
    assert_eq!(
        properties["reported"],
        value(
            r#"{"r":{"s":1},"$version":2,"$metadata":{"$lastUpdated":"1970-01-01T00:00:03.000Z",
                "r":{"$lastUpdated":"1970-01-01T00:00:03.000Z",
                     "s":{"$lastUpdated":"1970-01-01T00:00:03.000Z"}}}}"#
        )
    );
    let replaced = update(&twin, replace(&desired(r#"{"a":{"n":null,"m":1}}"#)), 4000).twin;
    let desired = &Value::Object(replaced.service_view())["properties"]["desired"];
    assert_eq!(desired["a"], value(r#"{"m":1}"#));
    assert_eq!(
        desired["$metadata"]["a"],
        value(
            r#"{"$lastUpdated":"1970-01-01T00:00:04.000Z","$lastUpdatedVersion":4,
                "m":{"$lastUpdated":"1970-01-01T00:00:04.000Z","$lastUpdatedVersion":4}}"#
        )
    );
}

#[test]
fn a_device_is_told_the_patch_as_it_was_sent_or_the_whole_new_section() {
    let one = update(&twin(), patch(r#"{"properties":{"desired":{"a":1,"b":{"c":null}}}}"#), 1);
    let notice = one.notice.unwrap();
    assert_eq!(notice.version, 2);
    assert_eq!(shown(&notice.body), value(r#"{"a":1,"b":{"c":null},"$version":2}"#));
    assert_eq!(one.twin.desired.values, object(r#"{"a":1,"b":{}}"#));

    let two = update(&one.twin, replace(r#"{"properties":{"desired":{"x":[1],"y":null}}}"#), 2);
    let notice = two.notice.unwrap();
    assert_eq!(shown(&notice.body), value(r#"{"x":[1],"$version":3}"#));

    assert_eq!(update(&two.twin, patch(r#"{"tags":{"t":1}}"#), 3).notice, None);
    assert_eq!(
        two.twin.device_view(),
        r#"{"desired":{"$version":3,"x":[1]},"reported":{"$version":1}}"#.as_bytes()
    );
}

#[test]
fn what_a_device_missed_it_is_told_at_once_and_once() {
    let mut twin = update(&twin(), patch(r#"{"properties":{"desired":{"a":1}}}"#), 1).twin;
    twin = update(&twin, patch(r#"{"properties":{"desired":{"b":2}}}"#), 2).twin;
    let missed = twin.missed().unwrap();
    assert_eq!(missed.version, 3);
    assert_eq!(shown(&missed.body), value(r#"{"a":1,"b":2,"$version":3}"#));
    for (seen, news, then) in [
        (1, false, 1),
        (0, false, 1),
        (2, true, 2),
        (1, false, 2),
        (3, true, 3),
        (2, false, 3),
        (99, false, 3),
    ] {
        assert_eq!((twin.see_desired(seen), twin.desired_seen), (news, then), "{seen}");
        assert_eq!(twin.missed().is_some(), then < 3);
    }
    let emptied = update(&twin, replace(r#"{"properties":{"desired":{}}}"#), 3).twin;
    assert_eq!(shown(&emptied.missed().unwrap().body), value(r#"{"$version":4}"#));
}

#[test]
fn a_service_changes_only_the_twin_that_it_knows() {
    let one = update(&twin(), patch(r#"{"tags":{"a":1}}"#), 1).twin;
    assert_eq!(one.etag(), "AAAAAAAAAAI=");
    let reported = report(&one, r#"{"r":1}"#, 2);
    assert_eq!(reported.etag(), one.etag(), "what a device reports is none of the ETag's business");
    assert_eq!((reported.version, reported.reported.version), (4, 2));
    for (header, may) in [
        ("*", true),
        ("\"*\"", true),
        ("\"AAAAAAAAAAI=\"", true),
        ("AAAAAAAAAAI=", true),
        ("\"AAAAAAAAAAE=\"", false),
        ("\"AAAAAAAAAAI\"", false),
        ("", false),
    ] {
        let change = patch(r#"{"tags":{"b":1}}"#);
        let limits = TwinLimits::DEFAULT;
        let result = reported.clone().update(change, &IfMatch::parse(header), &limits, UnixMs(3));
        match result {
            Ok(change) => assert!(may && change.twin.etag() == "AAAAAAAAAAM=", "{header}"),
            Err(error) => {
                let stale = HubError::PreconditionFailed { current: "AAAAAAAAAAI=".into() };
                assert_eq!((may, error), (false, stale), "{header}");
            }
        }
    }
}

#[test]
fn a_device_may_ask_for_the_version_it_knows() {
    let twin = report(&twin(), r#"{"a":1}"#, 1);
    for (version, may) in [(None, true), (Some(2), true), (Some(1), false), (Some(3), false)] {
        let patch = object(r#"{"b":1}"#);
        let limits = TwinLimits::DEFAULT;
        match twin.clone().patch_reported(patch, version, &limits, UnixMs(2)) {
            Ok(change) => {
                assert!(may, "{version:?}");
                assert_eq!(change.twin.reported.version, 3);
                assert_eq!(change.twin.reported.values, object(r#"{"a":1,"b":1}"#));
            }
            Err(error) => {
                let stale = HubError::PreconditionFailed { current: "2".into() };
                assert_eq!((may, error), (false, stale), "{version:?}");
            }
        }
    }
}

#[test]
fn an_empty_patch_is_a_change_and_an_empty_update_is_none() {
    let twin = report(&twin(), "{}", 5);
    assert_eq!((twin.version, twin.reported.version), (3, 2));
    let none = update(&twin, patch("{}"), 6);
    assert_eq!(none, TwinChange { twin: twin.clone(), notice: None });
    let both = update(&twin, patch(r#"{"tags":{},"properties":{"desired":{}}}"#), 7);
    assert_eq!((both.twin.version, both.twin.etag_counter, both.twin.desired.version), (4, 2, 2));
    assert_eq!(shown(&both.notice.unwrap().body), value(r#"{"$version":2}"#));
}
