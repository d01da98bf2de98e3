//! Logs: short messages, values as fields, one line each on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Installs the subscriber. `IRONHUB_LOG` takes filters such as `info,ironhub::mqtt=debug`; `IRONHUB_LOG_FORMAT=json`
/// gives one JSON object per line.
pub fn install() -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .with_env_var("IRONHUB_LOG")
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env()
        .map_err(|error| anyhow::anyhow!("IRONHUB_LOG: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("IRONHUB_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
    Ok(())
}
