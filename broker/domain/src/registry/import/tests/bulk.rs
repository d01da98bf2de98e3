use serde_json::json;

use super::*;
use crate::limits::{BULK_ITEMS_MAX, BULK_JSON_BYTES_MAX};
use crate::registry::bulk;

/// The outcome of each item: its identity, or its fault's code.
fn outcomes(body: &str) -> Vec<Result<String, u32>> {
    let parsed = bulk::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
    let outcome = |item: Result<ImportItem, ItemFault>| match item {
        Ok(item) => Ok(item.operation.identity().to_string()),
        Err(fault) => Err(fault.error.code().number),
    };
    parsed.into_iter().map(outcome).collect()
}

#[test]
fn one_bad_item_harms_no_other() {
    let body = r#" [ {"id":"a"} , 7,{"id":"b c"},{"id":"a","moduleId":"m"}, "x,]" ,
        {"id":"a","importMode":"Delete"},{"id":"c","importMode":"what"},{"id":"c"} ] "#;
    let expected = [
        Ok("a".to_owned()),
        Err(400_012),
        Err(400_004),
        Ok("a/m".to_owned()),
        Err(400_012),
        Err(400_011),
        Err(400_012),
        Ok("c".to_owned()),
    ];
    assert_eq!(outcomes(body), expected);
}

#[test]
fn what_is_no_list_of_items_is_refused_as_a_whole() {
    let refused = |body: &str| bulk::parse(body.as_bytes()).unwrap_err().code().name;
    for body in [
        "",
        "{}",
        "7",
        "[",
        "]",
        "[]",
        " [ ] ",
        "[,]",
        "[{}",
        "[{},",
        "[{},]",
        "[{}]]",
        "[{}]x",
        "[{} {}]",
        "[{\"a\":}]",
        "[nul]",
        "[1 2]",
        "[\"",
        "null",
    ] {
        assert_eq!(refused(body), "ArgumentInvalid", "{body}");
    }
    let items = |n: usize| format!("[{}]", vec!["{}"; n].join(","));
    assert_eq!(bulk::parse(items(BULK_ITEMS_MAX).as_bytes()).unwrap().len(), BULK_ITEMS_MAX);
    assert_eq!(refused(&items(BULK_ITEMS_MAX + 1)), "TooManyDevices");
    assert_eq!(refused(&format!("[{}", "0,".repeat(1_000_000))), "TooManyDevices");
    assert_eq!(refused(&" ".repeat(BULK_JSON_BYTES_MAX + 1)), "MessageTooLarge");
    assert_eq!(refused(&"[".repeat(1_000_000)), "ArgumentInvalid");
}

#[test]
fn the_answer_names_each_fault() {
    assert_eq!(bulk::result_json(&[]), json!({"isSuccessful": true, "errors": [], "warnings": []}));
    let delete = item(r#"{"id":"d1","moduleId":"m","importMode":"delete"}"#);
    let faults = [
        ItemFault::of(&delete, HubError::ModuleNotFound("d1/m".into())),
        fault(r#"{"id":"x y"}"#),
        fault("7"),
    ];
    let answer = bulk::result_json(&faults);
    assert_eq!(answer["isSuccessful"], false);
    assert_eq!(
        answer["errors"][0],
        json!({"deviceId": "d1", "moduleId": "m", "operation": "delete",
            "errorCode": "ModuleNotFound", "errorStatus": "module \"d1/m\" is not registered"})
    );
    assert_eq!(answer["errors"][1]["deviceId"], "x y");
    assert_eq!(answer["errors"][1]["operation"], "createOrUpdate");
    assert_eq!(answer["errors"][2]["errorCode"], "DeserializationError");
}
