//! Jobs over many devices (service-protocols.md 2.9): begun when their time comes, carried out target by target, ended.
//!
//! One task of the node that leads the system partition looks after all of them ([`runner`]); each that runs has a task of
//! its own ([`work`]). What there is to know is in records: a document for the job, a row for each target. So whatever stops
//! the node, the next one goes on from there, and a twin, which changes with its row, is never changed twice.

mod runner;
mod work;

pub(crate) use runner::run;
