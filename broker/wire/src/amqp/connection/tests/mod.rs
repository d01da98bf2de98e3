mod faults;
mod opening;
mod peer;
mod transfers;
