//! Items, written as JSON.

mod bulk;
mod lines;
mod operations;
mod regenerate;
mod so_already;

use super::*;
use crate::HubError;

fn item(json: &str) -> ImportItem {
    ImportItem::parse(json.as_bytes()).unwrap_or_else(|fault| panic!("{json}: {fault:?}"))
}

fn fault(json: &str) -> ItemFault {
    match ImportItem::parse(json.as_bytes()) {
        Err(fault) => fault,
        Ok(item) => panic!("{json}: {item:?}"),
    }
}
