use std::collections::BTreeSet;

use hyper::Method;
use serde_json::Value;

use super::*;
use crate::http::route::route;

/// Method, path and description of every operation of the document.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(|(m, op)| (m.to_uppercase(), path.clone(), op.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// The path with something in the place of each id.
fn filled(path: &str) -> String {
    let segment =
        |segment: &str| if segment.starts_with('{') { "x".into() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let document = document();
    let operations = operations(&document);
    assert_eq!(operations.len(), rows().count());
    let ids: BTreeSet<&str> =
        operations.iter().map(|(_, _, op)| op["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "operation ids are unique");
    for (method, path, operation) in &operations {
        let method: Method = method.parse().unwrap();
        let matched = route(&method, &filled(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let id = operation["operationId"].as_str().unwrap();
        assert!(id.starts_with(label(matched.operation)), "{method} {path} is {id}");
        assert_eq!(matched.ids.len(), path.matches('{').count(), "{path}");
    }
}

#[test]
fn every_path_parameter_is_described_once_and_every_reference_is_there() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().unwrap();
        let of_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let names: Vec<&str> =
            of_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let wanted: Vec<&str> = path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(names, wanted, "{method} {path}");
        let unique: BTreeSet<&&str> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{method} {path}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.push(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(elements) => elements.iter().for_each(|one| collect(one, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_is_built_succeeds_with_some_status_and_what_is_not_says_so() {
    for (_, pattern, operation) in rows() {
        let replies = describe(*operation).replies;
        let is_built = !matches!(operation, Operation::NotBuilt(_));
        assert_eq!(
            is_built,
            replies.iter().any(|(status, _)| (200..300).contains(status)),
            "{pattern}"
        );
    }
}
