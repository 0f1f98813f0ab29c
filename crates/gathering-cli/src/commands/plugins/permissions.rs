//! `gathering plugins permissions`, `grant` and `revoke`: what a plugin may touch.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use gathering::Permissions;
use serde_json::{Value, json};

use crate::cli::Show;
use crate::client::{Client, segment};
use crate::error::{CliError, Exit};
use crate::output::{HINT, plain, show, table};
use crate::progress;

const WORDS: &str = "\
Permissions:
  read=PATH write=PATH     files and folders, with all that is below them; ~/NAME is of the server's home
  network=HOST             api.example.com, *.example.com:443, 127.0.0.1:8080; * is every public host
  env=NAME secret=NAME     variables of the server, and secrets (see `gathering secrets`)
  command=NAME             programs
  memory=SIZE cpu_seconds=N processes=N file_size=SIZE tmp_size=SIZE disk=SIZE, with sizes such as 512MiB

A plugin may touch what it asks for and is allowed. `gathering plugins permissions ID` shows both.";

#[derive(Debug, Args)]
#[command(after_help = WORDS)]
pub(crate) struct Grant {
    /// The plugin.
    id: String,
    /// What to allow, such as network=api.example.com or read=/data.
    #[arg(required = true, value_name = "PERMISSION")]
    permissions: Vec<String>,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
#[command(after_help = WORDS)]
pub(crate) struct Revoke {
    /// The plugin.
    id: String,
    /// What to take back, as it was granted.
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Take back everything that was granted.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(super) show: Show,
}

impl Grant {
    pub(super) async fn on(&self, client: &Client) -> Result<(), CliError> {
        let body = json!({"permissions": read(&self.permissions)?});
        change(client, &self.id, "grant", &body, self.show.json).await
    }
}

impl Revoke {
    pub(super) async fn on(&self, client: &Client) -> Result<(), CliError> {
        let body = match self.all {
            true => json!({"all": true}),
            false => json!({"permissions": read(&self.permissions)?}),
        };
        change(client, &self.id, "revoke", &body, self.show.json).await
    }
}

async fn change(client: &Client, id: &str, verb: &str, body: &Value, as_json: bool) -> Result<(), CliError> {
    let path = format!("/plugins/{}/{verb}", segment(id));
    let answer = progress::shown(client, client.post(&path, body)).await?;
    show(as_json, &answer, |out| {
        writeln!(out, "{}", plain(answer.get("message").and_then(Value::as_str).unwrap_or("done")))
    })
}

/// Words of the command line. A path that is relative is so to where the command was given.
fn read(words: &[String]) -> Result<Permissions, CliError> {
    let absolute = words.iter().map(|word| match word.split_once('=') {
        Some((name @ ("read" | "write"), path)) if !path.is_empty() && !Path::new(path).starts_with("~") => {
            match std::path::absolute(path) {
                Ok(path) => format!("{name}={}", path.display()),
                Err(_) => word.clone(),
            }
        }
        _ => word.clone(),
    });
    Permissions::from_words(absolute).map_err(|error| CliError::usage(error.to_string()))
}

pub(super) async fn permissions(client: &Client, id: &str, as_json: bool) -> Result<(), CliError> {
    let answer = client.get(&format!("/plugins/{}/permissions", segment(id))).await?;
    if as_json {
        return show(true, &answer, |_| Ok(()));
    }
    let rows = rows(&answer)?;
    show(false, &answer, |out| {
        table(out, ["PERMISSION", "ASKED", "ALLOWED", "EFFECTIVE"], &rows)?;
        write_missing(out, &answer)
    })
}

fn write_missing(out: &mut dyn Write, answer: &Value) -> io::Result<()> {
    match answer.get("grant_command").and_then(Value::as_str) {
        Some(command) => writeln!(
            out,
            "\n{HINT}It asks for more than it is allowed. To allow it:{HINT:#}\n  {}",
            plain(command)
        ),
        None => Ok(()),
    }
}

/// A row for each permission that is asked for, allowed or effective.
fn rows(answer: &Value) -> Result<Vec<[String; 4]>, CliError> {
    let set = |pointer: &str| -> Result<Permissions, CliError> {
        let mut said = answer.pointer(pointer).cloned().unwrap_or_default();
        if let Some(said) = said.as_object_mut() {
            said.remove("origin");
        }
        serde_json::from_value(said).map_err(|error| {
            let message = format!("the server answers in a form that is not known here: {error}");
            CliError::new(Exit::Failed, "unknown_answer", message)
        })
    };
    let asked = set("/asked")?.to_words();
    let granted = set("/allowed/granted")?.to_words();
    let configured = set("/allowed/configured")?.to_words();
    let effective = set("/effective")?.to_words();
    let mut seen = BTreeSet::new();
    let all = asked.iter().chain(&granted).chain(&configured).chain(&effective);
    let rows = all.filter(|word| seen.insert(word.as_str())).map(|word| {
        let allowed = match (granted.contains(word), configured.contains(word)) {
            (true, true) => "granted, configured",
            (true, false) => "granted",
            (false, true) => "configured",
            (false, false) => "-",
        };
        let yes = |is_so: bool| if is_so { "yes" } else { "-" }.to_owned();
        // What is effective and was neither asked for nor allowed comes of both, or is a default.
        [plain(word), yes(asked.contains(word)), allowed.to_owned(), yes(effective.contains(word))]
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_has_a_row_that_says_who_wants_it() {
        let answer = json!({
            "asked": {"network": ["*.example.com"], "environment": ["HOME", "LANG"]},
            "allowed": {"granted": {"environment": ["HOME"]}, "configured": {"network": ["api.example.com"]}},
            "effective": {
                "origin": "installed", "read": ["/plugins"], "write": [], "network": ["api.example.com"],
                "environment": ["HOME"], "secrets": [], "commands": [], "limits": {},
            },
        });

        let rows = rows(&answer).expect("the answer is known");

        let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(String::as_str)).collect();
        assert_eq!(
            rows,
            [
                ["network=*.example.com", "yes", "-", "-"],
                ["env=HOME", "yes", "granted", "yes"],
                ["env=LANG", "yes", "-", "-"],
                ["network=api.example.com", "-", "configured", "yes"],
                ["read=/plugins", "-", "-", "yes"],
            ]
        );
    }

    #[test]
    fn relative_paths_are_taken_from_here() {
        let here = std::env::current_dir().expect("there is one");

        let words =
            read(&["read=data".into(), "write=~/out".into(), "env=HOME".into()]).expect("permissions");

        let expected = [format!("read={}/data", here.display()), "write=~/out".into(), "env=HOME".into()];
        assert_eq!(words.to_words(), expected);
        assert!(read(&["read=".into()]).is_err() && read(&["paint=red".into()]).is_err());
    }
}
