//! Permissions as the words of a command line, such as `read=/data`.

use super::limits::{Amount, size};
use super::{List, PermissionError, Permissions, Written, shown};

impl Permissions {
    /// Reads words such as `read=/data`, `network=api.example.com`, `env=HOME` and `memory=1GiB`. A word may come again
    /// to say more.
    pub fn from_words<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Result<Self, PermissionError> {
        let mut permissions = Self::default();
        for word in words {
            let word = word.as_ref();
            let refuse = || PermissionError::Word { given: shown(word) };
            let (name, value) = word.split_once('=').ok_or_else(refuse)?;
            let mut written = Written::default();
            let list = List::One(value.to_owned());
            let amount = Some(Amount::Text(value.to_owned()));
            match name {
                "read" => written.read = list,
                "write" => written.write = list,
                "network" => written.network = list,
                "env" | "environment" => written.environment = list,
                "secret" | "secrets" => written.secrets = list,
                "command" | "commands" => written.commands = list,
                "memory" => written.limits.memory = amount,
                "cpu_seconds" => written.limits.cpu_seconds = amount,
                "processes" => written.limits.processes = amount,
                "file_size" => written.limits.file_size = amount,
                "tmp_size" => written.limits.tmp_size = amount,
                "disk" => written.limits.disk = amount,
                _ => return Err(refuse()),
            }
            permissions = permissions.union(&written.try_into()?);
        }
        Ok(permissions)
    }

    /// The words that [`Permissions::from_words`] reads.
    pub fn to_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (name, roots) in [("read", &self.read), ("write", &self.write)] {
            words.extend(roots.iter().map(|path| format!("{name}={}", path.display())));
        }
        words.extend(self.network.iter().map(|host| format!("network={host}")));
        for (name, names) in
            [("env", &self.environment), ("secret", &self.secrets), ("command", &self.commands)]
        {
            words.extend(names.iter().map(|given| format!("{name}={given}")));
        }
        for (name, is_size, amount) in self.limits.named() {
            words.extend(amount.map(|amount| {
                let amount = if is_size { size(amount) } else { amount.to_string() };
                format!("{name}={amount}")
            }));
        }
        words
    }

    /// The command that allows the plugin all of this.
    pub fn grant_command(&self, plugin: &crate::PluginId) -> String {
        let words: Vec<_> = self.to_words().iter().map(|word| format!(" {}", quoted(word))).collect();
        format!("gathering plugins grant {plugin}{}", words.concat())
    }
}

/// A word as a shell takes it unchanged.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "=/._-:+,@%".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
