//! How RocksDB is set up: what it may use, and which of its own limits are out of reach.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, LogLevel, Options,
};

use super::RocksOptions;

/// Size at which RocksDB's own diagnostic log begins a new file, and how many it keeps.
const INFO_LOG_BYTES_MAX: usize = 4 << 20;
const INFO_LOG_FILES_MAX: usize = 4;
const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// Out of reach: see `super` on a full disk.
const MEMTABLES_MAX: i32 = 1 << 10;
const L0_FILES_MAX: i32 = 1 << 20;
const RECORDS_FILE_BYTES: u64 = 32 << 20;

pub(super) fn database_options(options: &RocksOptions) -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_atomic_flush(true);
    database.set_db_write_buffer_size(options.memtable_bytes);
    database.set_max_open_files(options.open_files_max);
    database.set_max_background_jobs(options.background_jobs);
    database.set_bytes_per_sync(1 << 20);
    database.set_log_level(LogLevel::Warn);
    database.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    database.set_keep_log_file_num(INFO_LOG_FILES_MAX);
    database.set_max_manifest_file_size(MANIFEST_BYTES_MAX);
    database.set_stats_dump_period_sec(0);
    database.set_stats_persist_period_sec(0);
    database
}

pub(super) fn records_options(options: &RocksOptions, cache: &Cache) -> Options {
    let mut table = table_options(cache, 8 << 10);
    table.set_bloom_filter(10.0, false);
    table.set_whole_key_filtering(true);
    table.set_optimize_filters_for_memory(true);
    // In parts of a few KB: the filter of a large file is larger than what the cache can keep of each, and would be read
    // anew, as a whole, for every record looked up.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4 << 10);
    table.set_pin_top_level_index_and_filter(true);
    let mut family = family_options(options, &table, RECORDS_FILE_BYTES);
    family.set_compression_type(DBCompressionType::Lz4);
    family.set_level_compaction_dynamic_level_bytes(true);
    family
}

/// Rows arrive in order within each partition and die by range, so levels hardly overlap. The newest are read soon and
/// rewritten once: they are not worth compressing.
pub(super) fn events_options(options: &RocksOptions, cache: &Cache) -> Options {
    let table = table_options(cache, 16 << 10);
    let mut family = family_options(options, &table, options.events_file_bytes);
    let mut levels = vec![DBCompressionType::None; 2];
    levels.resize(7, DBCompressionType::Lz4);
    family.set_compression_per_level(&levels);
    family.set_level_compaction_dynamic_level_bytes(false);
    family.set_max_bytes_for_level_base(options.events_file_bytes * 8);
    family
}

fn table_options(cache: &Cache, block_bytes: usize) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(block_bytes);
    // Indexes and filters count against the cache, so that memory does not grow with the data.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(6);
    table
}

fn family_options(options: &RocksOptions, table: &BlockBasedOptions, file_bytes: u64) -> Options {
    let mut family = Options::default();
    family.set_block_based_table_factory(table);
    family.set_write_buffer_size(options.memtable_bytes / 2);
    family.set_max_write_buffer_number(MEMTABLES_MAX);
    family.set_level_zero_stop_writes_trigger(L0_FILES_MAX);
    family.set_hard_pending_compaction_bytes_limit(0);
    family.set_target_file_size_base(file_bytes);
    family
}

/// RocksDB insists on a family of this name. Its memtable size counts when it asks whether a disk has room again.
pub(super) fn unused_options(options: &RocksOptions) -> Options {
    let mut family = Options::default();
    family.set_write_buffer_size(options.memtable_bytes / 2);
    family
}
