//! Compiles the .proto files in Rust: no protoc is needed to build.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    const FILES: [&str; 12] = [
        "ironhub/command.proto",
        "ironhub/record.proto",
        "ironhub/event.proto",
        "ironhub/twin.proto",
        "ironhub/module.proto",
        "ironhub/c2d.proto",
        "ironhub/notice.proto",
        "ironhub/session.proto",
        "ironhub/upload.proto",
        "ironhub/document.proto",
        "ironhub/import.proto",
        "ironhub/job.proto",
    ];
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
        assert!(Path::new(file).exists(), "{file} is missing");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    // Bodies are slices of what was read, not copies.
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
