//! The log of the program itself, on standard error.

use std::io::IsTerminal;

use gathering::config::LogFormat;
use tracing_subscriber::EnvFilter;

use crate::error::CliError;

/// Begins to log what `GATHERING_LOG` or `RUST_LOG` says, else what `level` says.
pub(crate) fn start(level: &str, format: LogFormat) -> Result<(), CliError> {
    let variables = ["GATHERING_LOG", "RUST_LOG"];
    let said = variables.into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
    let (origin, directives) = said.unwrap_or_else(|| ("log.level", level.to_owned()));
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        CliError::usage(format!(
            "`{origin}`: `{directives}` is neither a level (error, warn, info, debug, trace, off) nor directives: {error}"
        ))
    })?;
    let is_coloured =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_coloured);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
