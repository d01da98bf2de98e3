//! The `ironhub` program: see `ironhub --help`.

use std::process::ExitCode;

/// Many small, short-lived allocations from several threads: mimalloc is faster at them than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ironhub::cli::main()
}
