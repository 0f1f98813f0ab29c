//! `gathering secrets`: what plugins know and nobody sees. Values are read from standard input, never from arguments,
//! which other users could see, and are never shown.

use std::io::{IsTerminal, Read, Write};

use clap::{Args, Subcommand};
use gathering::{DataDir, MAX_SECRET, SecretError, SecretPlace, SecretsFile, StartError};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use crate::cli::{Global, Show};
use crate::error::{CliError, Exit};
use crate::output::{plain, show, table};

/// Keep secrets for plugins that ask for them and are allowed them.
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Keep a secret: its value is read from standard input, or asked for on a terminal.
    #[command(after_help = "Example: gathering secrets set API_KEY < key.txt")]
    Set(One),
    /// List the names of the secrets, and where each is kept.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        show: Show,
    },
    /// Forget a secret.
    #[command(visible_alias = "rm")]
    Remove(One),
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The secret: letters, digits and `_`.
    name: String,
    #[command(flatten)]
    show: Show,
}

impl Secrets {
    pub(crate) fn show(&self) -> Show {
        match self {
            Self::Set(One { show, .. }) | Self::Remove(One { show, .. }) | Self::List { show } => *show,
        }
    }

    pub(crate) fn run(&self, global: &Global) -> Result<(), CliError> {
        if global.server.is_some() {
            return Err(CliError::usage(
                "secrets are kept in a data directory and sent to no server: leave --server and \
                 GATHERING_SERVER_URL out, and give --data-dir on the machine of the server",
            ));
        }
        let config = global.settings(Vec::new())?.config;
        let secrets = SecretsFile::new(DataDir::new(config.data_dir.ok_or(StartError::NoDataDir)?));
        match self {
            Self::Set(One { name, show }) => set(&secrets, name, show.json),
            Self::List { show } => list(&secrets, show.json),
            Self::Remove(One { name, show }) => remove(&secrets, name, show.json),
        }
    }
}

fn set(secrets: &SecretsFile, name: &str, as_json: bool) -> Result<(), CliError> {
    let value = read_value(name)?;
    let replaced = secrets.set(name, &value).map_err(refused)?;
    let what = if replaced { "replaced" } else { "kept" };
    let message = format!(
        "Secret '{name}' {what}. `gathering plugins grant ID secret={name}` allows it to a plugin that asks for it; \
         one that knows the old value is told the new one by `gathering plugins reload ID`"
    );
    write_done(name, &message, as_json)
}

fn remove(secrets: &SecretsFile, name: &str, as_json: bool) -> Result<(), CliError> {
    if secrets.remove(name).map_err(refused)? {
        return write_done(name, &format!("Secret '{name}' removed"), as_json);
    }
    let message = format!("there is no secret called `{name}` in `{}`", secrets.path().display());
    Err(CliError::new(Exit::NotFound, "unknown_secret", message)
        .remedy("`gathering secrets list` shows the names"))
}

fn list(secrets: &SecretsFile, as_json: bool) -> Result<(), CliError> {
    let names = secrets.names().map_err(refused)?;
    let listed: Vec<_> = names.iter().map(|(name, place)| json!({"name": name, "place": place})).collect();
    let answer = json!({"secrets": listed, "total": names.len()});
    show(as_json, &answer, |out| {
        if names.is_empty() {
            return writeln!(out, "there are no secrets; `gathering secrets set NAME` keeps one");
        }
        let rows: Vec<_> = names
            .iter()
            .map(|(name, place)| {
                let place = match place {
                    SecretPlace::File => secrets.path().display().to_string(),
                    SecretPlace::Variable => format!("the variable GATHERING_SECRET_{name}"),
                };
                [plain(name), plain(&place)]
            })
            .collect();
        table(out, ["SECRET", "KEPT IN"], &rows)
    })
}

fn write_done(name: &str, message: &str, as_json: bool) -> Result<(), CliError> {
    let answer: Value = json!({"success": true, "message": message, "secret": name});
    show(as_json, &answer, |out| writeln!(out, "{}", plain(message)))
}

/// The value from standard input. The newline that `echo` and editors put at the end of a single line is not a part.
fn read_value(name: &str) -> Result<String, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("the value cannot be read: {error}"));
    let mut input = std::io::stdin();
    let mut value = String::new();
    if input.is_terminal() {
        write!(std::io::stderr(), "Value of {name} (not shown): ").map_err(failed)?;
        let hidden = Hidden::begin()?;
        let read = input.read_line(&mut value);
        drop(hidden);
        writeln!(std::io::stderr()).map_err(failed)?;
        read.map_err(failed)?;
    } else {
        input.by_ref().take(MAX_SECRET as u64 + 2).read_to_string(&mut value).map_err(failed)?;
    }
    let line = value.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(match line {
        Some(line) if !line.contains('\n') => line.to_owned(),
        _ => value,
    })
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self, CliError> {
        let failed = |error: rustix::io::Errno| {
            CliError::new(Exit::Failed, "terminal", format!("the terminal would show the value: {error}"))
                .remedy("give the value on standard input instead, such as `< key.txt`")
        };
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing more can be done: the shell that waits sets its terminal by itself.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

fn refused(error: SecretError) -> CliError {
    match &error {
        SecretError::Name(_) | SecretError::Value { .. } => CliError::usage(error.to_string()),
        _ => CliError::new(Exit::Failed, "secrets", error.to_string()),
    }
}
