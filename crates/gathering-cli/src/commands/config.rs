//! `gathering config`: the configuration and where each value comes from.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::cli::{Global, Show};
use crate::error::CliError;
use crate::output::{HINT, plain, show};

/// See the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show each setting, its value, and the file or variable that gives it.
    Show {
        #[command(flatten)]
        show: Show,
    },
}

impl Config {
    pub(crate) fn run(&self, global: &Global) -> Result<(), CliError> {
        let Self::Show { show: as_json } = self;
        let read = global.settings(Vec::new())?;
        let settings = read.settings();
        let values: Map<String, Value> = settings
            .iter()
            .map(|(key, value, origin)| (key.clone(), json!({"value": value, "origin": origin})))
            .collect();
        let answer = json!({"file": read.file, "settings": values, "warnings": read.warnings});
        show(as_json.json, &answer, |out| {
            match &read.file {
                Some(path) => writeln!(out, "# {}", plain(&path.display().to_string()))?,
                None => writeln!(out, "# no configuration file")?,
            }
            for warning in &read.warnings {
                writeln!(out, "# {}", plain(warning))?;
            }
            for (key, value, origin) in settings.iter().filter(|(_, value, _)| !value.is_null()) {
                let line = format!("{key} = {value}");
                match origin.as_str() {
                    "default" => writeln!(out, "{HINT}{}{HINT:#}", plain(&line))?,
                    origin => writeln!(out, "{}  {HINT}# {origin}{HINT:#}", plain(&line))?,
                }
            }
            Ok(())
        })
    }
}
