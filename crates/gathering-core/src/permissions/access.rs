//! Something that a plugin tried to touch, and what is said when it may not.

use std::path::Path;

use super::{Permissions, words};
use crate::PluginId;

/// Something that a plugin tried to touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<'a> {
    /// To read a file or folder; absolute.
    Read(&'a Path),
    /// To write, make or remove a file or folder; absolute.
    Write(&'a Path),
    /// To connect to a host.
    Network {
        /// Its name or address.
        host: &'a str,
        /// The port.
        port: u16,
    },
    /// To see a variable of the server's environment.
    Environment(&'a str),
    /// To know a secret.
    Secret(&'a str),
    /// To run a program.
    Command(&'a str),
}

impl Access<'_> {
    /// Says that `plugin` may not do this, and the command that would allow it. A plugin that does not ask for it has to
    /// ask first, because it may touch only what it asks for and is allowed.
    pub fn refused(&self, plugin: &PluginId, asked: &Permissions) -> String {
        let (word, act) = self.words();
        let act = format!("the plugin `{plugin}` may not {act}");
        let needed = match Permissions::from_words([&word]) {
            Ok(needed) => needed,
            Err(error) => return format!("{act}: {error}"),
        };
        let command = format!("gathering plugins grant {plugin} {}", words::quoted(&word));
        if needed.not_in(asked).is_empty() {
            return format!("{act}; to allow it: `{command}`");
        }
        let written = serde_json::to_string(&needed).unwrap_or_default();
        format!(
            "{act}, and it does not ask for it; to allow it: add {written} to its permissions, then `{command}`"
        )
    }

    fn words(&self) -> (String, String) {
        match self {
            Self::Read(path) => (format!("read={}", path.display()), format!("read `{}`", shown_path(path))),
            Self::Write(path) => {
                (format!("write={}", path.display()), format!("write `{}`", shown_path(path)))
            }
            Self::Network { host, port } => {
                // An address of version 6 takes brackets before a port.
                let host = if host.contains(':') && !host.starts_with('[') {
                    format!("[{host}]")
                } else {
                    (*host).to_owned()
                };
                (format!("network={host}:{port}"), format!("connect to `{}:{port}`", super::shown(&host)))
            }
            Self::Environment(name) => {
                (format!("env={name}"), format!("see the variable `{}`", super::shown(name)))
            }
            Self::Secret(name) => {
                (format!("secret={name}"), format!("know the secret `{}`", super::shown(name)))
            }
            Self::Command(name) => {
                (format!("command={name}"), format!("run the command `{}`", super::shown(name)))
            }
        }
    }
}

fn shown_path(path: &Path) -> String {
    path.display().to_string().chars().take(1000).flat_map(char::escape_debug).collect()
}
