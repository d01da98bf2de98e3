# Sourced by the other scripts, and by people who call cargo themselves:
#
#     . scripts/env.sh
#
# Puts a freshly installed Rust on the PATH and points the build at the machine's RocksDB library when
# `scripts/rocksdb` has made one. Without it the build works too: cargo then compiles RocksDB from its packaged source.

ironhub_root=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
ironhub_cache=${IRONHUB_CACHE:-$HOME/.cache/ironhub}

if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi

# What the library was made from decides its name: RocksDB's version, the compression features, the processor level.
# A different answer to any of these is a different library, so a stale one is never linked.
ironhub_rocksdb_key() {
    local version features cpu
    version=$(sed -n '/^name = "librocksdb-sys"$/{n;s/^version = ".*+\(.*\)"$/\1/p;}' "$ironhub_root/Cargo.lock")
    features=$(sed -n '/^rocksdb = /{s/.*features = \[\([^]]*\)\].*/\1/;s/"bindgen-runtime",* *//;s/[" ]//g;s/,/-/g;p;}' \
        "$ironhub_root/Cargo.toml")
    if [ "$(uname -m)" = x86_64 ]; then
        cpu=$(sed -n 's/.*-Ctarget-cpu=\([a-z0-9-]*\).*/\1/p' "$ironhub_root/.cargo/config.toml" | head -n 1)
    fi
    echo "${version:?RocksDB is not in Cargo.lock}-${features:-plain}-${cpu:-$(uname -m)}"
}

ironhub_rocksdb_dir() {
    echo "$ironhub_cache/rocksdb/$(ironhub_rocksdb_key)"
}

if [ -z "${ROCKSDB_LIB_DIR:-}" ] && [ -f "$(ironhub_rocksdb_dir)/librocksdb.a" ]; then
    ROCKSDB_LIB_DIR=$(ironhub_rocksdb_dir)
    ROCKSDB_STATIC=1
    export ROCKSDB_LIB_DIR ROCKSDB_STATIC
fi
