//! Secrets of plugins: kept in a file that only its owner reads, or given as variables of the environment.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use gathering_core::{SecretError, Secrets, check_secret};
use serde::Serialize;

use crate::data_dir::DataDir;

/// What the variables that hold secrets begin with; the secret's name follows.
pub(crate) const SECRET_PREFIX: &str = "GATHERING_SECRET_";
/// The file in the data directory.
const FILE: &str = "secrets.json";
/// The most bytes that the file may have.
const MAX_FILE: u64 = 8 << 20;

/// The secrets of a data directory: those of `secrets.json`, and the variables `GATHERING_SECRET_NAME`, which go before.
#[derive(Debug, Clone)]
pub struct SecretsFile {
    data_dir: DataDir,
}

/// Where a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In `secrets.json`.
    File,
    /// In a variable of the environment.
    Variable,
}

type Kept = BTreeMap<String, String>;

impl SecretsFile {
    /// The secrets of `data_dir`. Nothing is read or written yet.
    pub fn new(data_dir: DataDir) -> Self {
        Self { data_dir }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.data_dir.path().join(FILE)
    }

    /// The names of all secrets, in alphabetical order, and where each is kept.
    pub fn names(&self) -> Result<Vec<(String, SecretPlace)>, SecretError> {
        let mut names: BTreeMap<_, _> =
            self.read()?.into_keys().map(|name| (name, SecretPlace::File)).collect();
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let named = variables.filter_map(|name| Some(name.strip_prefix(SECRET_PREFIX)?.to_owned()));
        names.extend(named.map(|name| (name, SecretPlace::Variable)));
        Ok(names.into_iter().collect())
    }

    /// Keeps a secret in the file, in the place of one of this name. True if there was one.
    pub fn set(&self, name: &str, value: &str) -> Result<bool, SecretError> {
        check_secret(name, value)?;
        self.change(|kept| kept.insert(name.to_owned(), value.to_owned()).is_some())
    }

    /// Removes a secret from the file. False if there was none.
    pub fn remove(&self, name: &str) -> Result<bool, SecretError> {
        self.change(|kept| kept.remove(name).is_some())
    }

    /// Changes the file, one process at a time; readers see it before or after.
    fn change<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> Result<T, SecretError> {
        self.data_dir.create().map_err(|error| SecretError::Unreadable(error.to_string()))?;
        let lock = self.data_dir.path().join("secrets.lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock);
        let lock = opened.and_then(|file| file.lock().map(|()| file)).map_err(|error| self.failed(&error))?;
        let mut kept = self.read()?;
        let changed = change(&mut kept);
        let text = serde_json::to_string_pretty(&kept).expect("a map of texts has a form in JSON");
        self.data_dir.write_private(FILE, &text).map_err(|error| self.failed(&error))?;
        drop(lock);
        Ok(changed)
    }

    fn read(&self) -> Result<Kept, SecretError> {
        let path = self.path();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::new()),
            opened => opened.map_err(|error| self.failed(&error))?,
        };
        let found = file.metadata().map_err(|error| self.failed(&error))?;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            let message = format!(
                "`{path}` can be read by others (mode {mode:o}), so its secrets are not used: `chmod 600 {path}`"
            );
            return Err(SecretError::Unreadable(message));
        }
        if found.len() > MAX_FILE {
            return Err(self.failed(&io::Error::other(format!("it has more than {MAX_FILE} bytes"))));
        }
        let mut text = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut text).map_err(|error| self.failed(&error))?;
        // The parser's own words could quote a secret.
        serde_json::from_slice(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let reason = format!(
                "it is no JSON object of texts ({place}): mend it, or remove it and set its secrets again"
            );
            self.failed(&io::Error::other(reason))
        })
    }

    fn failed(&self, error: &io::Error) -> SecretError {
        SecretError::Unreadable(format!(
            "the secrets in `{}` cannot be read or written: {error}",
            self.path().display()
        ))
    }
}

impl Secrets for SecretsFile {
    fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        match std::env::var(format!("{SECRET_PREFIX}{name}")) {
            Ok(value) => return Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(SecretError::Unreadable(format!(
                    "the variable `{SECRET_PREFIX}{name}` is no text in UTF-8"
                )));
            }
        }
        Ok(self.read()?.remove(name))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn secrets() -> (tempfile::TempDir, SecretsFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = SecretsFile::new(DataDir::new(folder.path().join("data")));
        (folder, secrets)
    }

    #[test]
    fn a_secret_is_kept_where_only_its_owner_reads_it_and_shown_by_name_only() {
        let (_folder, secrets) = secrets();
        assert_eq!(secrets.get("API_KEY"), Ok(None));

        assert_eq!(secrets.set("API_KEY", "sk-0123"), Ok(false));
        assert_eq!(secrets.set("API_KEY", "sk-4567"), Ok(true));
        assert_eq!(secrets.set("OTHER", "sk-8901"), Ok(false));

        assert_eq!(secrets.get("API_KEY"), Ok(Some("sk-4567".to_owned())));
        assert_eq!(fs::metadata(secrets.path()).expect("it is there").permissions().mode() & 0o777, 0o600);
        let names = secrets.names().expect("they can be read");
        assert!(names.contains(&("API_KEY".to_owned(), SecretPlace::File)), "{names:?}");
        assert_eq!(secrets.remove("API_KEY"), Ok(true));
        assert_eq!(secrets.remove("API_KEY"), Ok(false));
        assert_eq!(secrets.get("API_KEY"), Ok(None));
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_and_not_repeated() {
        let (_folder, secrets) = secrets();

        let short = secrets.set("API_KEY", "shhh").expect_err("too short").to_string();
        let name = secrets.set("API-KEY", "sk-0123").expect_err("no name").to_string();

        assert!(short.contains("`API_KEY`") && !short.contains("shhh"), "{short}");
        assert!(name.contains("`API-KEY` is no name of a secret"), "{name}");
        assert!(!secrets.path().exists());
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_damaged_is_not_used() {
        let (_folder, secrets) = secrets();
        secrets.set("API_KEY", "sk-0123").expect("it can be kept");

        fs::set_permissions(secrets.path(), fs::Permissions::from_mode(0o644)).expect("it is ours");
        let open = secrets.get("API_KEY").expect_err("others can read it").to_string();
        fs::set_permissions(secrets.path(), fs::Permissions::from_mode(0o600)).expect("it is ours");
        fs::write(secrets.path(), "{\"API_KEY\": 12345678}").expect("it is ours");
        let damaged = secrets.get("API_KEY").expect_err("no text").to_string();

        assert!(open.contains("(mode 644)") && open.contains("`chmod 600 "), "{open}");
        assert!(damaged.contains("no JSON object of texts") && !damaged.contains("12345678"), "{damaged}");
    }

    #[test]
    fn secrets_that_are_set_at_once_are_all_kept() {
        let (_folder, secrets) = secrets();

        std::thread::scope(|scope| {
            for number in 0..8 {
                let secrets = &secrets;
                scope.spawn(move || secrets.set(&format!("S{number}"), "sk-0123").expect("it can be kept"));
            }
        });

        let kept = secrets.read().expect("they can be read");
        assert_eq!(kept.len(), 8);
    }
}
