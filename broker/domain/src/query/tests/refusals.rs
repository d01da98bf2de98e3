//! Every refusal names the character and the cause.

use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    match Query::parse(text) {
        Err(error) => assert_eq!(error.to_string(), format!("at character {expected}"), "{text}"),
        Ok(query) => panic!("{text}: {query:?}"),
    }
}

#[test]
fn a_text_that_is_no_query_is_refused_where_it_stops_being_one() {
    check("", "1: expected SELECT, found end of text");
    check("  ", "3: expected SELECT, found end of text");
    check("UPDATE devices", "1: expected SELECT, found UPDATE");
    check("SELECT", "7: expected a column, found end of text");
    check("SELECT FROM devices", "8: expected a column, found FROM");
    check("SELECT * devices", "10: expected FROM, found devices");
    check(
        "SELECT * FROM",
        "14: expected devices, devices.modules or devices.jobs, found end of text",
    );
    check(
        "SELECT * FROM twins",
        "15: unknown source: there are devices, devices.modules and devices.jobs",
    );
    check(
        "SELECT * FROM devices.twins",
        "15: unknown source: there are devices, devices.modules and devices.jobs",
    );
    check("SELECT * FROM devices WHERE", "28: expected an expression, found end of text");
    check("SELECT * FROM devices WHERE tags.a = ", "38: expected an expression, found end of text");
    check(
        "SELECT * FROM devices WHERE tags.a = 1 tags.b",
        "40: expected an operator, GROUP BY or the end of the query, found tags",
    );
    check(
        "SELECT * FROM devices ORDER BY deviceId",
        "23: expected WHERE, GROUP BY or the end of the query, found ORDER",
    );
    check("SELECT TOP x * FROM devices", "12: expected a number of rows, found x");
    check("SELECT TOP -1 * FROM devices", "12: expected a number of rows, found '-'");
    check("SELECT *, deviceId FROM devices", "9: expected FROM, found ','");
    check("SELECT deviceId, FROM devices", "18: expected a column, found FROM");
    check(
        "SELECT deviceId AS 'x' FROM devices",
        "20: expected a name for the column, found the string \"x\"",
    );
}

#[test]
fn a_condition_is_refused_where_it_stops_being_one() {
    let check = |condition: &str, position: usize, cause: &str| {
        check(
            &format!("SELECT * FROM devices WHERE {condition}"),
            &format!("{}: {cause}", 28 + position),
        );
    };
    check("tags.a ==  1", 9, "expected an expression, found '='");
    check(
        "tags.a = 1 = 2",
        12,
        "expected an operator, GROUP BY or the end of the query, found '='",
    );
    check("(tags.a", 8, "expected ')', found end of text");
    check("tags.a)", 7, "expected an operator, GROUP BY or the end of the query, found ')'");
    check("tags.", 6, "expected a name after '.', found end of text");
    check("tags.a[x]", 8, "expected an index, found x");
    check("tags.a[-1]", 8, "expected an index, found '-'");
    check("tags.a[1.5]", 8, "expected an index, found the number 1.5");
    check("tags.a[1", 9, "expected ']', found end of text");
    check("tags.[[]]", 6, "a name in brackets is empty");
    check("tags.[[a]", 6, "a name in brackets has no closing ]]");
    check("tags.a IN 'x'", 11, "expected '[', found the string \"x\"");
    check("tags.a IN [tags.b]", 12, "expected a constant, found tags");
    check("tags.a IN [1,]", 14, "expected a constant, found ']'");
    check("tags.a IN [1 2]", 14, "expected ']', found the number 2");
    check("tags.a IN [-'x']", 13, "expected a number, found the string \"x\"");
    check("tags.a = 'x", 10, "a string has no closing quote");
    check(r"tags.a = 'x\n'", 12, r#"unknown escape: there are \' \" \\ \uXXXX"#);
    check(r"tags.a = '\u12x4'", 12, "\\u needs four hexadecimal digits");
    check(r"tags.a = '\ud83d'", 11, "half of a surrogate pair");
    check("tags.a = 12abc", 10, "a number ends in letters");
    check("tags.a = 0x", 10, "a number is too large or has no digits");
    check("tags.a = 0x10000000000000000", 10, "a number is too large or has no digits");
    check("tags.a = 1e999", 10, "a number is too large or has no digits");
    check("tags.a ; 1", 8, "unexpected character ';'");
    check("tags.\u{e9} = #", 10, "unexpected character '#'");
    check("AND tags.a", 1, "expected an expression, found AND");
    check("tags.a = NOT tags.b", 10, "expected an expression, found NOT");
    check("like(tags.a)", 1, "there is no function LIKE");
    check("COUNT() > 1", 1, "COUNT stands in SELECT only");
    check("is_defined()", 1, "IS_DEFINED takes one argument, not 0");
    check("power(1)", 1, "POWER takes 2 arguments, not 1");
    check("substring('a')", 1, "SUBSTRING takes 2 to 3 arguments, not 1");
    check("concat('a')", 1, "CONCAT takes 2 or more arguments, not 1");
    check("abs(1 2)", 7, "expected ',', found the number 2");
    check("abs(1,)", 7, "expected an expression, found ')'");
    check("[tags.a]", 2, "expected a constant, found tags");
}

#[test]
fn columns_groups_and_sources_must_go_together() {
    check("SELECT deviceId FROM devices.jobs", "8: of devices.jobs there is SELECT * only");
    check("SELECT COUNT() AS n FROM devices.jobs", "8: of devices.jobs there is SELECT * only");
    check("SELECT * FROM devices.jobs GROUP BY status", "28: of devices.jobs there are no groups");
    check(
        "SELECT * FROM devices.jobs WHERE tags.a = 1",
        "34: tags: a query of devices.jobs cannot look at twins",
    );
    check(
        "SELECT * FROM devices.jobs WHERE jobId = 'j' AND is_defined(Properties.reported.x)",
        "61: Properties: a query of devices.jobs cannot look at twins",
    );
    check("SELECT * FROM devices GROUP BY status", "8: SELECT * does not go with GROUP BY");
    check(
        "SELECT status, COUNT() FROM devices",
        "8: with aggregates or groups, a column is one of GROUP BY",
    );
    check(
        "SELECT status, tags.a FROM devices GROUP BY status",
        "16: with aggregates or groups, a column is one of GROUP BY",
    );
    check("SELECT tags.a.x, tags.b.x FROM devices", "18: another column is named x: use AS");
    check(
        "SELECT tags.a AS n, COUNT() AS n FROM devices GROUP BY tags.a",
        "21: another column is named n: use AS",
    );
    check("SELECT COUNT(deviceId) FROM devices", "14: expected ')', found deviceId");
    check("SELECT SUM() FROM devices", "12: expected a name, found ')'");
    check(
        "SELECT ABS(tags.a) FROM devices",
        "8: there is no aggregate ABS: there are COUNT, AVG, SUM, MIN and MAX",
    );
    check("SELECT status FROM devices GROUP status", "34: expected BY, found status");
}

#[test]
fn a_condition_alone_ends_where_it_ends() {
    let refused = |text: &str, dialect| Condition::parse(text, dialect).unwrap_err().to_string();
    let devices = Dialect::Rows(Source::Devices);
    assert_eq!(
        refused("tags.a = 1 GROUP BY tags.a", devices),
        "at character 12: expected the end of the condition, found GROUP"
    );
    assert_eq!(
        refused("", Dialect::Routing),
        "at character 1: expected an expression, found end of text"
    );
    assert_eq!(refused("*", devices), "at character 1: expected an expression, found '*'");
}

#[test]
fn an_error_is_a_wrong_argument_to_clients() {
    let error: crate::HubError = Query::parse("SELECT").unwrap_err().into();
    assert_eq!(
        error.to_string(),
        "invalid argument: at character 7: expected a column, found end of text"
    );
}
