mod faults;
mod interleaved;
mod opening;
mod peer;
mod transfers;
