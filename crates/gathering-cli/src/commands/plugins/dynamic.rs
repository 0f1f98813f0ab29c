//! `gathering plugins create` and what belongs to it: plugins that are made of code.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::write_action;
use crate::cli::Show;
use crate::client::{Client, query, segment};
use crate::error::CliError;
use crate::output::{items, plain, show, table, text};
use crate::progress;

/// The most bytes that are read of a file.
const MAX_FILE: u64 = 8 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  gathering plugins create --file tools.py
  gathering plugins create --file tools.py --id text_tools --description 'Tools for texts'
  gathering plugins create --json-file request.json

Each public function of the file is a tool: its signature, type hints and docstring say what it takes. A JSON file holds the
body of POST /plugins/dynamic.";

/// What a plugin is made of.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Make {
    /// A Python file whose public functions are the tools; `-` for standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "json_file", conflicts_with = "json_file")]
    file: Option<PathBuf>,
    /// A request as JSON, as POST /plugins/dynamic takes it; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    json_file: Option<PathBuf>,
    /// What the plugin is called by. Default: the file's name without `.py`.
    #[arg(long)]
    id: Option<String>,
    /// Its name for people. Default: made of the id.
    #[arg(long)]
    name: Option<String>,
    /// What it does. Default: what the file's docstring says.
    #[arg(long)]
    description: Option<String>,
    /// Its version. Default: 1.0.0.
    #[arg(long)]
    version: Option<String>,
    /// A package from PyPI that it needs. Can be said more than once.
    #[arg(long, value_name = "REQUIREMENT")]
    needs: Vec<String>,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The plugin.
    id: String,
    /// The version to go back to, as `versions` numbers them. Default: the one before the current one.
    #[arg(long, value_name = "NUMBER")]
    to: Option<u64>,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The plugin.
    id: String,
    /// The file to write, in one of the plugin folders. Default: the id and `.py`, in the server's own plugin folder.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    pub(super) show: Show,
}

impl Make {
    pub(super) async fn create(&self, client: &Client) -> Result<(), CliError> {
        let body = self.body()?;
        let made = progress::shown(client, client.post("/plugins/dynamic", &body)).await?;
        self.write(client, &made, "created").await
    }

    pub(super) async fn update(&self, client: &Client) -> Result<(), CliError> {
        let body = self.body()?;
        let id = body.get("plugin_id").and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() {
            return Err(CliError::usage("which plugin is to be updated? name it with --id"));
        }
        let path = format!("/plugins/{}/dynamic", segment(id));
        let made = progress::shown(client, client.put(&path, &body)).await?;
        self.write(client, &made, "updated").await
    }

    /// Shows what was made, and the tools that can be called now.
    async fn write(&self, client: &Client, made: &Value, verb: &str) -> Result<(), CliError> {
        let id = text(made, "id");
        let listed = client.get(&format!("/plugins/{}/tools", segment(&id))).await?;
        show(self.show.json, made, |out| {
            writeln!(out, "Plugin '{}' {verb}", plain(&id))?;
            let row = |tool: &Value| ["name", "description"].map(|name| text(tool, name));
            let rows: Vec<_> = items(&listed, "tools").iter().map(row).collect();
            table(out, ["TOOL", ""], &rows)
        })
    }

    /// The request: what the file says, and over it what was said on the command line.
    fn body(&self) -> Result<Value, CliError> {
        let mut body = match (&self.file, &self.json_file) {
            (Some(file), _) => {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).filter(|stem| *stem != "-");
                let id = stem.map(|stem| json!({"plugin_id": stem}));
                let mut body = id.and_then(|id| id.as_object().cloned()).unwrap_or_default();
                body.insert("code".to_owned(), read(file)?.into());
                body
            }
            (None, Some(file)) => object(file)?,
            (None, None) => Map::new(),
        };
        let said = [
            ("plugin_id", &self.id),
            ("name", &self.name),
            ("description", &self.description),
            ("version", &self.version),
        ];
        for (field, value) in said {
            if let Some(value) = value {
                body.insert(field.to_owned(), value.as_str().into());
            }
        }
        if !self.needs.is_empty() {
            body.insert("python_dependencies".to_owned(), self.needs.clone().into());
        }
        Ok(Value::Object(body))
    }
}

impl Rollback {
    pub(super) async fn on(&self, client: &Client) -> Result<(), CliError> {
        let body = match self.to {
            Some(version) => json!({"version": version}),
            None => json!({}),
        };
        let path = format!("/plugins/{}/rollback", segment(&self.id));
        let answer = progress::shown(client, client.post(&path, &body)).await?;
        show(self.show.json, &answer, |out| {
            writeln!(out, "Plugin '{}' rolled back, to {}", plain(&self.id), text(&answer, "version"))
        })
    }
}

impl Save {
    pub(super) async fn on(&self, client: &Client) -> Result<(), CliError> {
        let mut body = json!({"overwrite": self.overwrite});
        if let Some(output) = &self.output {
            // A mere name is one in the server's plugin folder; any other path is meant from here.
            let path = match output.parent() == Some(Path::new("")) {
                true => output.clone(),
                false => std::path::absolute(output).unwrap_or_else(|_| output.clone()),
            };
            body["output_path"] = json!(path);
        }
        let answer = client.post(&format!("/plugins/{}/save", segment(&self.id)), &body).await?;
        write_action(&answer, self.show.json)
    }
}

pub(super) async fn promote(client: &Client, id: &str, as_json: bool) -> Result<(), CliError> {
    let answer = client.post(&format!("/plugins/{}/promote", segment(id)), &json!({})).await?;
    show(as_json, &answer, |out| writeln!(out, "Plugin '{}' is the operator's now", text(&answer, "id")))
}

pub(super) async fn versions(client: &Client, id: &str, as_json: bool) -> Result<(), CliError> {
    let answer = client.get(&format!("/plugins/{}/versions", segment(id))).await?;
    show(as_json, &answer, |out| {
        let row = |kept: &Value| {
            let note = match (kept.get("current"), kept.get("rolled_back_to").and_then(Value::as_u64)) {
                (Some(Value::Bool(true)), Some(number)) => format!("current, as {number}"),
                (Some(Value::Bool(true)), None) => "current".to_owned(),
                (_, Some(number)) => format!("as {number}"),
                _ => String::new(),
            };
            [text(kept, "number"), text(kept, "version"), text(kept, "caller"), note]
        };
        let rows: Vec<_> = items(&answer, "versions").iter().map(row).collect();
        table(out, ["NUMBER", "VERSION", "BY", ""], &rows)
    })
}

pub(super) async fn remove(client: &Client, id: &str, cascade: bool, as_json: bool) -> Result<(), CliError> {
    let query = query(&[("cascade", cascade.then_some("true"))]);
    let path = format!("/plugins/{}{query}", segment(id));
    write_action(&progress::shown(client, client.delete(&path)).await?, as_json)
}

fn object(path: &Path) -> Result<Map<String, Value>, CliError> {
    match serde_json::from_str(&read(path)?) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(CliError::usage(format!("`{}` holds JSON, but no object", path.display()))),
        Err(error) => Err(CliError::usage(format!("`{}` holds no JSON: {error}", path.display()))),
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_FILE + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
    };
    match read {
        Ok(length) if length as u64 > MAX_FILE => {
            Err(CliError::usage(format!("`{}` is larger than {MAX_FILE} bytes", path.display())))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(CliError::usage(format!("`{}` cannot be read: {error}", path.display()))),
    }
}
