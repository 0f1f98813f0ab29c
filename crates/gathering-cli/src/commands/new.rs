//! `gathering new`: something to start from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gathering::{DataDir, PluginId, StartError, prober, python_runtime};
use serde_json::json;

use crate::cli::{Global, Show};
use crate::error::{CliError, Exit};
use crate::output::{HINT, plain, show};

/// A plugin, with `PLUGIN_ID`, `PLUGIN_CLASS` and `PLUGIN_NAME` in the places of its names.
const PLUGIN: &str = include_str!("new/plugin.py");
/// Its tests, with `PLUGIN_FILE` in the place of its file's name.
const TESTS: &str = include_str!("new/test_plugin.py");

/// Write something to start from.
#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// Write a Python plugin that works, and its tests.
    #[command(after_help = "Example: gathering new plugin weather --dir ./plugins")]
    Plugin(NewPlugin),
}

#[derive(Debug, Args)]
pub(crate) struct NewPlugin {
    /// What it is called by: a letter, then letters, digits, `_` or `-`.
    name: String,
    /// Where to write it. Default: the plugin folder in the data directory, where it is found by itself.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) show: Show,
}

impl New {
    pub(crate) fn run(&self, global: &Global) -> Result<(), CliError> {
        let Self::Plugin(plugin) = self;
        plugin.run(global)
    }
}

impl NewPlugin {
    fn run(&self, global: &Global) -> Result<(), CliError> {
        let id = PluginId::new(&self.name).map_err(|error| CliError::usage(error.to_string()))?;
        let config = global.settings(Vec::new())?.config;
        let data_dir = DataDir::new(config.data_dir.clone().ok_or(StartError::NoDataDir)?);
        let folder = match &self.dir {
            Some(folder) => std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
            None => {
                data_dir.create()?;
                data_dir.plugins()
            }
        };
        let stem = id.as_str().replace('-', "_").to_ascii_lowercase();
        let plugin = folder.join(format!("{stem}.py"));
        let tests = folder.join("tests").join(format!("test_{stem}.py"));
        write_new(&plugin, &fill(PLUGIN, &id, &stem))?;
        write_new(&tests, &fill(TESTS, &id, &stem))?;
        let sdk = python_runtime(&config, &data_dir, prober(&config)).sdk().map_err(|error| {
            CliError::new(
                Exit::Failed,
                "sdk",
                format!("the Python package for the tests cannot be written: {error}"),
            )
        })?;
        let python = config.python.interpreter.unwrap_or_else(|| "python3".into());
        let discover = match &self.dir {
            Some(_) => format!("gathering plugins discover {}", quoted(&folder)),
            None => "gathering plugins discover".to_owned(),
        };
        let next = [
            format!("PYTHONPATH={} {} {}", quoted(&sdk), quoted(&python), quoted(&tests)),
            discover,
            format!("gathering plugins load {id} --enable"),
            format!("gathering execute {stem}_greet name=Ada"),
        ];
        let answer = json!({"plugin_id": id, "plugin": plugin, "tests": tests, "next": next});
        show(self.show.json, &answer, |out| {
            writeln!(
                out,
                "{}\n{}",
                plain(&plugin.display().to_string()),
                plain(&tests.display().to_string())
            )?;
            writeln!(out, "\n{HINT}Next: test it, find it, load it, call it{HINT:#}")?;
            next.iter().try_for_each(|line| writeln!(out, "  {}", plain(line)))
        })
    }
}

fn fill(template: &str, id: &PluginId, stem: &str) -> String {
    let words = || stem.split('_').filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let class: String = words().map(capital).collect();
    let name = words().map(capital).collect::<Vec<_>>().join(" ");
    template
        .replace("PLUGIN_ID", id.as_str())
        .replace("PLUGIN_CLASS", &format!("{class}Plugin"))
        .replace("PLUGIN_NAME", &name)
        .replace("PLUGIN_STEM", stem)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let written = (|| {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
    })();
    written.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CliError::new(Exit::Failed, "exists", format!("`{}` is there already", path.display()))
                .remedy("choose another name or --dir; nothing is overwritten")
        }
        _ => CliError::new(Exit::Failed, "write", format!("`{}` cannot be written: {error}", path.display())),
    })
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_simple) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
