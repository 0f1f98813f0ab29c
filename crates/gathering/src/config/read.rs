//! Reading the configuration in layers: defaults, then the file, then variables, then flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::Value;

use super::error::nearest_key;
use super::{Config, ConfigError};
use crate::data_dir;
use crate::secrets::SECRET_PREFIX;

/// What variables of ours begin with.
const PREFIX: &str = "GATHERING_";
/// Variables of ours that are no settings of the configuration.
const OTHER_VARIABLES: [&str; 4] = ["config", "log", "server_url", "token"];
/// The tables and values at the top of the configuration.
const TOP: [&str; 12] = [
    "data_dir", "server", "plugins", "files", "skills", "python", "models", "chat", "sandbox", "limits",
    "journal", "log",
];
/// The keys whose values are paths.
const PATHS: [&str; 6] = [
    "data_dir",
    "plugins.directories",
    "skills.directories",
    "python.interpreter",
    "python.uv",
    "sandbox.launcher",
];

/// Where the configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources {
    /// The file. If absent: `$GATHERING_CONFIG`, else `gathering.toml` here, else
    /// `$XDG_CONFIG_HOME/gathering/gathering.toml`, if there is one.
    pub file: Option<PathBuf>,
    /// The variables of the environment.
    pub variables: BTreeMap<String, String>,
    /// What was said on the command line; goes before everything.
    pub flags: Vec<Flag>,
}

/// A setting that was given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag, such as `--port`.
    pub name: &'static str,
    /// The key it sets, such as `server.port`.
    pub key: &'static str,
    /// The value.
    pub value: Value,
}

/// A configuration and where it comes from.
#[derive(Debug, Clone)]
pub struct ReadConfig {
    /// The configuration. Its paths are absolute.
    pub config: Config,
    /// The file it was read from, if there was one.
    pub file: Option<PathBuf>,
    /// Variables that begin like ours and set nothing.
    pub warnings: Vec<String>,
    figment: Figment,
}

impl ConfigSources {
    /// The environment of this process, and no flags.
    pub fn from_environment() -> Self {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file: None, variables: std::env::vars_os().filter_map(texts).collect(), flags: Vec::new() }
    }

    /// Reads and checks the configuration. An error names the file, variable or flag, and the key.
    pub fn read(&self) -> Result<ReadConfig, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        let file = self.find_file()?;
        if let Some(path) = &file {
            figment = figment.merge(read_file(path)?);
        }
        let mut warnings = Vec::new();
        for (name, text) in &self.variables {
            match setting_of_variable(name) {
                Some(Ok(key)) => {
                    let value = text.parse().expect("every text is a value, at least a text");
                    figment = figment.merge(Given { origin: format!("the variable `{name}`"), key, value });
                }
                Some(Err(warning)) => warnings.push(warning),
                None => {}
            }
        }
        for flag in &self.flags {
            let origin = format!("the flag `{}`", flag.name);
            let value = figment::value::Value::serialize(&flag.value)
                .map_err(|error| ConfigError::from_figment(error, |_| origin.clone()))?;
            figment = figment.merge(Given { origin, key: flag.key.into(), value });
        }
        let mut config: Config = figment
            .extract()
            .map_err(|error| ConfigError::from_figment(error, |key| origin_of(&figment, key)))?;
        let base = |key: &str| base_of(&figment, key);
        let home = self.variables.get("HOME").map(Path::new);
        resolve_paths(&mut config, &base, home);
        if config.data_dir.is_none() {
            config.data_dir = data_dir::default_path(|name| self.variables.get(name).map(PathBuf::from));
        }
        Ok(ReadConfig { config, file, warnings, figment })
    }

    fn find_file(&self) -> Result<Option<PathBuf>, ConfigError> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let named = self.file.clone().or_else(|| self.variables.get("GATHERING_CONFIG").map(PathBuf::from));
        if let Some(path) = named {
            return Ok(Some(absolute(&path)));
        }
        let variable =
            |name: &str| self.variables.get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        let of_user = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
        let here = Some(PathBuf::from("gathering.toml"));
        let places = here.into_iter().chain(of_user.map(|folder| folder.join("gathering/gathering.toml")));
        for path in places {
            match path.try_exists() {
                Ok(true) => return Ok(Some(absolute(&path))),
                Ok(false) => {}
                Err(error) => return Err(ConfigError::Unreadable { path, reason: error.to_string() }),
            }
        }
        Ok(None)
    }
}

impl ReadConfig {
    /// Every setting with its key, its value, and the file, variable or flag that gives it.
    pub fn settings(&self) -> Vec<(String, Value, String)> {
        let mut settings = Vec::new();
        let values = serde_json::to_value(&self.config).expect("the configuration is plain data");
        each_setting(&values, "", &mut |key, value| {
            settings.push((key.to_owned(), value.clone(), origin_of(&self.figment, key)));
        });
        settings
    }
}

/// Calls `visit` with each value that is no table, and its key.
pub(super) fn each_setting(value: &Value, key: &str, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                each_setting(value, &key, visit);
            }
        }
        value => visit(key, value),
    }
}

fn read_file(path: &Path) -> Result<impl Provider + use<>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    let values = Toml::from_str::<Dict>(&text).map_err(|error| {
        let reason = error.to_string().trim_end().to_owned();
        ConfigError::Syntax { path: path.to_owned(), reason }
    })?;
    Ok(InFile { path: path.to_owned(), values })
}

/// The key that a variable sets, a warning if it looks like one of ours and sets nothing, `None` if it is not ours.
///
/// A variable whose first word is no table of ours is not refused: Kubernetes makes such ones for a service that is
/// called `gathering`.
fn setting_of_variable(name: &str) -> Option<Result<String, String>> {
    let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
    let top = key.split('.').next().unwrap_or_default();
    if OTHER_VARIABLES.contains(&key.as_str()) || name.starts_with(SECRET_PREFIX) {
        return None;
    }
    if TOP.contains(&top) {
        return Some(Ok(key));
    }
    let as_key = key.replacen('_', ".", 1);
    let hint = match nearest_key(&as_key) {
        Some(near) => format!(", did you mean `{PREFIX}{}`?", near.replace('.', "__").to_ascii_uppercase()),
        None => String::new(),
    };
    Some(Err(format!("the variable `{name}` sets nothing{hint}")))
}

/// Where the value of a key comes from: a file, a variable, a flag, or `default`.
fn origin_of(figment: &Figment, key: &str) -> String {
    // An unknown key of a table may not be found; its table is.
    let mut key = key;
    loop {
        if let Some(metadata) = figment.find_metadata(key) {
            return match file_of(metadata) {
                Some(path) => format!("`{}`", path.display()),
                None if metadata.name.starts_with("the ") => metadata.name.to_string(),
                None => "default".to_owned(),
            };
        }
        match key.rsplit_once('.') {
            Some((table, _)) => key = table,
            None => return "default".to_owned(),
        }
    }
}

fn file_of(metadata: &Metadata) -> Option<&Path> {
    metadata.source.as_ref()?.file_path()
}

/// The folder that relative paths of a key are relative to: the file's that gives it.
fn base_of(figment: &Figment, key: &str) -> Option<PathBuf> {
    Some(file_of(figment.find_metadata(key)?)?.parent()?.to_owned())
}

fn resolve_paths(config: &mut Config, base: &dyn Fn(&str) -> Option<PathBuf>, home: Option<&Path>) {
    let resolve = |path: &mut PathBuf, key: &str| {
        if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), home) {
            *path = home.join(rest);
        }
        let joined = base(key).unwrap_or_default().join(&path);
        *path = std::path::absolute(&joined).unwrap_or(joined);
    };
    let [data_dir, directories, skills, interpreter, uv, launcher] = PATHS;
    config.data_dir.iter_mut().for_each(|path| resolve(path, data_dir));
    config.sandbox.launcher.iter_mut().for_each(|path| resolve(path, launcher));
    config.plugins.directories.iter_mut().for_each(|path| resolve(path, directories));
    config.skills.directories.iter_mut().for_each(|path| resolve(path, skills));
    for (program, key) in [(&mut config.python.interpreter, interpreter), (&mut config.python.uv, uv)] {
        // A bare name is looked for on `PATH`.
        if let Some(path) = program.as_mut().filter(|path| path.components().count() > 1) {
            resolve(path, key);
        }
    }
}

/// The values of a file.
struct InFile {
    path: PathBuf,
    values: Dict,
}

impl Provider for InFile {
    fn metadata(&self) -> Metadata {
        Metadata::from("file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// One value of a variable or flag.
struct Given {
    origin: String,
    key: String,
    value: figment::value::Value,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, self.value.clone());
        Ok(Map::from([(Profile::Default, nested.into_dict().unwrap_or_default())]))
    }
}
