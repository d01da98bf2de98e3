//! What texts mean, shown with every bracket.

use super::*;

fn shown(expression: &Expression) -> String {
    let list = |parts: &[Expression], between: &str| {
        parts.iter().map(shown).collect::<Vec<_>>().join(between)
    };
    match expression {
        Expression::Constant(None) => "undefined".into(),
        Expression::Constant(Some(value)) => value.to_string(),
        Expression::Path(path) => shown_path(path),
        Expression::Or(parts) => format!("({})", list(parts, " or ")),
        Expression::And(parts) => format!("({})", list(parts, " and ")),
        Expression::Not(part) => format!("not {}", shown(part)),
        Expression::Compare(left, comparison, right) => {
            format!("({} {comparison:?} {})", shown(left), shown(right))
        }
        Expression::Among(part, is_in, array) => {
            let array: Vec<_> = array
                .iter()
                .map(|value| value.as_ref().map_or("undefined".into(), Value::to_string))
                .collect();
            let word = if *is_in { "in" } else { "nin" };
            format!("({} {word} [{}])", shown(part), array.join(" "))
        }
        Expression::Arithmetic(first, rest) => {
            let rest: String =
                rest.iter().map(|(op, part)| format!(" {op:?} {}", shown(part))).collect();
            format!("({}{rest})", shown(first))
        }
        Expression::Call(function, arguments) => format!("{function:?}({})", list(arguments, ", ")),
    }
}

fn shown_path(path: &Path) -> String {
    let steps = path.steps.iter().map(|step| match step {
        Step::Name(name) => format!("/{name}"),
        Step::Index(index) => format!("#{index}"),
    });
    steps.collect()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shown(condition(text).expression()), expected, "{text}");
}

#[track_caller]
fn check_query(text: &str, expected: &str) {
    let Query { select, top, source, condition, group_by } = query(text);
    let columns = match select {
        Select::All => "*".to_owned(),
        Select::Columns(columns) => {
            let shown = columns.iter().map(|column| match &column.value {
                ColumnValue::Path(path) => format!("{}={}", column.name, shown_path(path)),
                ColumnValue::Aggregate(aggregate, path) => {
                    let path = path.as_ref().map(shown_path).unwrap_or_default();
                    format!("{}={aggregate:?}({path})", column.name)
                }
            });
            shown.collect::<Vec<_>>().join(" ")
        }
    };
    let mut got = format!("{columns} of {}", source.as_str());
    if let Some(top) = top {
        got = format!("top {top} {got}");
    }
    if let Some(condition) = condition {
        got += &format!(" if {}", shown(&condition));
    }
    if !group_by.is_empty() {
        let paths: Vec<_> = group_by.iter().map(shown_path).collect();
        got += &format!(" by {}", paths.join(" "));
    }
    assert_eq!(got, expected, "{text}");
}

#[test]
fn operators_bind_as_in_sql() {
    check(
        "tags.a = 1 OR tags.b = 2 AND tags.c = 3",
        "((/tags/a Equal 1) or ((/tags/b Equal 2) and (/tags/c Equal 3)))",
    );
    check("NOT tags.a = 1 AND tags.b", "(not (/tags/a Equal 1) and /tags/b)");
    check("NOT (tags.a = 1 AND tags.b)", "not ((/tags/a Equal 1) and /tags/b)");
    check("not not tags.a", "not not /tags/a");
    check("1 + 2 * 3 - 4 = 3", "((1 Add (2 Multiply 3) Subtract 4) Equal 3)");
    check("(1 + 2) * 3 % 2 / 1 = 3", "(((1 Add 2) Multiply 3 Remainder 2 Divide 1) Equal 3)");
    check("-tags.a < +2", "((0 Subtract /tags/a) Less (0 Add 2))");
    check("(tags.a = 1) = true", "((/tags/a Equal 1) Equal true)");
    check(
        "tags.a=1 aNd tags.b=2 anD tags.c=3",
        "((/tags/a Equal 1) and (/tags/b Equal 2) and (/tags/c Equal 3))",
    );
}

#[test]
fn comparisons_have_these_signs() {
    for (sign, name) in [
        ("=", "Equal"),
        ("!=", "NotEqual"),
        ("<>", "NotEqual"),
        ("<", "Less"),
        ("<=", "LessOrEqual"),
        (">", "Greater"),
        (">=", "GreaterOrEqual"),
    ] {
        check(&format!("tags.a{sign}1"), &format!("(/tags/a {name} 1)"));
        check(&format!("tags.a {sign} 'x'"), &format!("(/tags/a {name} \"x\")"));
    }
    check("tags.a IN ['x', 1, true, null]", r#"(/tags/a in ["x" 1 true null])"#);
    check("tags.a nin [-1, -2.5, undefined]", "(/tags/a nin [-1 -2.5 undefined])");
    check("tags.a IN []", "(/tags/a in [])");
    check("tags.a IN[[1],[2]]", "(/tags/a in [[1] [2]])");
}

#[test]
fn constants_are_json_hexadecimal_numbers_and_strings_with_escapes() {
    check("1", "1");
    check("1.50", "1.5");
    check("1e3", "1000.0");
    check("2E-2", "0.02");
    check("0x1F", "31");
    check("18446744073709551615", "18446744073709551615");
    check("36893488147419103232", "3.6893488147419103e+19");
    check("TRUE", "true");
    check("Null", "null");
    check("UNDEFINED", "undefined");
    check("[1, 'a', [null]]", r#"[1,"a",[null]]"#);
    check(r#"'it''s'"#.replace("''", "\\'").as_str(), r#""it's""#);
    check(r#""a'b""#, r#""a'b""#);
    check(r#"'a\"b\\c'"#, r#""a\"b\\c""#);
    check(r"'\u00e9\ud83d\ude00'", "\"\u{e9}\u{1f600}\"");
    check("''", r#""""#);
}

#[test]
fn the_hubs_names_count_in_any_case_and_the_users_as_written() {
    check("DEVICEID = 'x'", r#"(/deviceId Equal "x")"#);
    check("Tags.Floor", "/tags/Floor");
    check("Properties.Reported.Temp", "/properties/reported/Temp");
    check("properties.DESIRED.$version", "/properties/desired/$version");
    check("CAPABILITIES.IOTEDGE", "/capabilities/iotEdge");
    check("devices.connectionstate", "/connectionState");
    check("x509thumbprint.primarythumbprint", "/x509Thumbprint/primaryThumbprint");
}

#[test]
fn a_path_has_names_indices_and_names_in_brackets() {
    check("configurations.[[my-config]].status", "/configurations/my-config/status");
    check("configurations[[my-config]].status", "/configurations/my-config/status");
    check("configurations.[[and or.not]].status", "/configurations/and or.not/status");
    check("tags.list[0].x[12]", "/tags/list#0/x#12");
    check("tags['a b'][\"c\"]", "/tags/a b/c");
    check("tags.and.in.select", "/tags/and/in/select");
    check("tags.2nd.3", "/tags/2nd/3");
    check("tags . a", "/tags/a");
    check("tags.\u{e9}t\u{e9}", "/tags/\u{e9}t\u{e9}");
    check(
        "properties.reported.$metadata.a.$lastUpdated",
        "/properties/reported/$metadata/a/$lastUpdated",
    );
    check("tags.a-1", "(/tags/a Subtract 1)");
}

#[test]
fn in_a_route_names_have_hyphens_and_a_dollar_means_the_system() {
    let check = |text: &str, expected: &str| {
        let condition = Condition::parse(text, Dialect::Routing).unwrap();
        assert_eq!(shown(condition.expression()), expected, "{text}");
    };
    check("processingPath = 'hot'", r#"(/processingPath Equal "hot")"#);
    check("my-prop", "/my-prop");
    check("my - prop", "(/my Subtract /prop)");
    check("a -1", "(/a Subtract 1)");
    check("a-1", "(/a Subtract 1)");
    check("$contenttype = 'x'", r#"(/$contentType Equal "x")"#);
    check("$DT-DataSchema", "/$dt-dataschema");
    check("$BODY.Weather.HistoricalData[0].Month", "/$body/Weather/HistoricalData#0/Month");
    check("$Twin.tags.x", "/$twin/tags/x");
    check("group = 1 AND from = 2", "((/group Equal 1) and (/from Equal 2))");
}

#[test]
fn statements_have_columns_a_source_a_condition_and_groups() {
    check_query("SELECT * FROM devices", "* of devices");
    check_query("select top 10 * from DEVICES.Modules", "top 10 * of devices.modules");
    check_query(
        "SELECT DeviceId, LastActivityTime FROM devices WHERE status = 'enabled'",
        "deviceId=/deviceId lastActivityTime=/lastActivityTime of devices if (/status Equal \"enabled\")",
    );
    check_query(
        "SELECT properties.reported.telemetryConfig.status AS status, COUNT() AS numberOfDevices \
         FROM devices GROUP BY properties.reported.telemetryConfig.status",
        "status=/properties/reported/telemetryConfig/status numberOfDevices=Count() of devices \
         by /properties/reported/telemetryConfig/status",
    );
    check_query(
        "SELECT tags.a.b, tags.list[3], tags.[[x-y]] FROM devices",
        "b=/tags/a/b list=/tags/list#3 x-y=/tags/x-y of devices",
    );
    check_query(
        "SELECT count(), AVG(tags.a), sum(tags.b) AS s, Min(tags.c), max(tags.d) FROM devices",
        "$1=Count() $2=Avg(/tags/a) s=Sum(/tags/b) $3=Min(/tags/c) $4=Max(/tags/d) of devices",
    );
    check_query(
        "SELECT tags.a, status FROM devices GROUP BY Status, tags.a",
        "a=/tags/a status=/status of devices by /status /tags/a",
    );
    check_query("SELECT deviceId AS from FROM devices", "from=/deviceId of devices");
    check_query(
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j' AND Devices.Jobs.createdTimeUtc > '2016-09-01'",
        "* of devices.jobs if ((/jobId Equal \"j\") and (/createdDateTimeUtc Greater \"2016-09-01\"))",
    );
}

#[test]
fn the_kind_of_a_result_is_told_by_its_columns_and_source() {
    for (text, expected) in [
        ("SELECT * FROM devices", "Twin"),
        ("SELECT * FROM devices.modules", "Twin"),
        ("SELECT * FROM devices.jobs", "DeviceJob"),
        ("SELECT deviceId FROM devices", "Raw"),
        ("SELECT COUNT() AS n FROM devices.modules", "Raw"),
    ] {
        assert_eq!(query(text).item_type(), expected, "{text}");
    }
}
