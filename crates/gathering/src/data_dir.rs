//! The data directory: what lies in it, who holds it, and the operator's token.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StartError;

/// The most bytes that are read of one of our small files.
const MAX_FILE: u64 = 64 * 1024;
/// How short a token can be that is still taken for one.
const SHORTEST_TOKEN: usize = 32;

/// The folder in which a GatheRing keeps all it has to keep. Only its owner can look into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
}

/// How the server that holds a data directory is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Where it answers, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// Its process.
    pub pid: u32,
}

/// Whoever has this is the only one that changes the data directory. It is given up when this is dropped, and when the
/// process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that is just being started has the file too, until it runs its program.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the data directory could not be given up");
        }
    }
}

/// Where state is kept if nobody says so: `$XDG_DATA_HOME/gathering`, else `~/.local/share/gathering`.
pub(crate) fn default_path(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path: &PathBuf| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    data.map(|folder| folder.join("gathering"))
}

impl DataDir {
    /// The data directory at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path: std::path::absolute(&path).unwrap_or(path) }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder in which plugins are always looked for.
    pub fn plugins(&self) -> PathBuf {
        self.path.join("plugins")
    }

    /// The folder of the plugins that were made of code.
    pub fn dynamic(&self) -> PathBuf {
        self.path.join("dynamic")
    }

    /// The file that keeps the state.
    pub fn state(&self) -> PathBuf {
        self.path.join("state.db")
    }

    /// The folder that keeps the rows of calls.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The file that holds the operator's token.
    pub fn token_file(&self) -> PathBuf {
        self.path.join("operator.token")
    }

    fn lock_file(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Makes the folder, and those for plugins in it, if they are not there.
    pub fn create(&self) -> Result<(), StartError> {
        let make = |path: PathBuf| DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(self.plugins()).and_then(|()| make(self.dynamic())).map_err(|error| self.failed("made", &error))
    }

    /// Takes the data directory for this process, or says who has it.
    pub fn lock(&self) -> Result<Lock, StartError> {
        let failed = |error| self.failed("locked", &error);
        let path = self.lock_file();
        let mut file = open_lock(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let server = self.server();
                let pid = read_small(&path).ok().flatten().and_then(|text| text.trim().parse().ok());
                return Err(StartError::InUse {
                    path: self.path.clone(),
                    pid,
                    // A file that a killed server left says nothing about who has the lock now.
                    url: server.filter(|server| Some(server.pid) == pid).map(|server| server.url),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Lock { file })
    }

    /// Waits until nobody has the data directory. Blocks; somebody else may be the first to take it then.
    pub fn released(&self) -> Result<(), StartError> {
        let released = open_lock(&self.lock_file()).and_then(|file| file.lock());
        released.map_err(|error| self.failed("locked", &error))
    }

    /// The server that was announced last. It may be gone since: see [`DataDir::lock`].
    pub fn server(&self) -> Option<ServerInfo> {
        let text = read_small(&self.path.join("server.json")).ok()??;
        serde_json::from_str(&text).ok()
    }

    /// Tells other processes how to reach the server that this process is.
    pub(crate) fn announce(&self, server: &ServerInfo) -> io::Result<()> {
        let text = serde_json::to_string(server)?;
        self.write_private("server.json", &text)
    }

    /// Forgets what was announced.
    pub(crate) fn unannounce(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join("server.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The operator's token, if one was made.
    pub fn operator_token(&self) -> Result<Option<String>, StartError> {
        let path = self.token_file();
        let invalid = |reason: String| StartError::Token { path: path.clone(), reason };
        let Some(text) = read_small(&path).map_err(|error| invalid(error.to_string()))? else {
            return Ok(None);
        };
        let token = text.trim();
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = format!("it must be one word of at least {SHORTEST_TOKEN} characters");
            return Err(invalid(rule));
        }
        Ok(Some(token.to_owned()))
    }

    /// The operator's token, made now (256 random bits) if there was none. The caller holds the lock.
    pub(crate) fn make_operator_token(&self) -> Result<String, StartError> {
        if let Some(token) = self.operator_token()? {
            return Ok(token);
        }
        let failed = |reason: String| StartError::Token { path: self.token_file(), reason };
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| failed(error.to_string()))?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.write_private("operator.token", &format!("{token}\n"))
            .map_err(|error| failed(error.to_string()))?;
        Ok(token)
    }

    /// Writes a file that only its owner may read; readers see it whole or not at all.
    pub(crate) fn write_private(&self, name: &str, text: &str) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        // One that a killed process left may have other permissions.
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(name))
    }

    fn failed(&self, what: &'static str, error: &io::Error) -> StartError {
        StartError::DataDir { path: self.path.clone(), what, reason: error.to_string() }
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read_small(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_second_holder_is_refused_and_told_who_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let data_dir = DataDir::new(folder.path().join("data"));
        data_dir.create().expect("it can be made");
        let pid = std::process::id();

        let lock = data_dir.lock().expect("it is free");
        let unserved = data_dir.lock().unwrap_err();
        data_dir.announce(&ServerInfo { url: "http://127.0.0.1:1".into(), pid }).expect("it can be written");
        let served = data_dir.lock().unwrap_err();
        drop(lock);

        let shown = data_dir.path().display();
        assert_eq!(
            unserved.to_string(),
            format!(
                "the data directory `{shown}` is in use by process {pid}: wait until it ends, or choose another one"
            )
        );
        assert_eq!(
            served.to_string(),
            format!(
                "the data directory `{shown}` is in use by the server at http://127.0.0.1:1 (process {pid}): \
                 stop it, or choose another one"
            )
        );
        assert!(data_dir.lock().is_ok(), "it is free again");
    }

    #[test]
    fn what_a_killed_server_left_does_not_name_the_holder() {
        let folder = tempfile::tempdir().expect("a folder");
        let data_dir = DataDir::new(folder.path());
        data_dir
            .announce(&ServerInfo { url: "http://127.0.0.1:1".into(), pid: 1 })
            .expect("it can be written");

        let _lock = data_dir.lock().expect("nobody has it");

        assert!(matches!(data_dir.lock(), Err(StartError::InUse { url: None, .. })));
    }

    #[test]
    fn the_operators_token_is_made_once_and_is_nobody_elses_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let data_dir = DataDir::new(folder.path().join("data"));
        data_dir.create().expect("it can be made");

        assert_eq!(data_dir.operator_token().expect("no token is fine"), None);
        let token = data_dir.make_operator_token().expect("it can be made");

        assert_eq!(token.len(), 64);
        assert_eq!(data_dir.make_operator_token().expect("it is there"), token);
        assert_eq!(mode(&data_dir.token_file()), 0o600);
        assert_eq!(mode(data_dir.path()), 0o700);
        fs::write(data_dir.token_file(), "short").expect("it can be written");
        assert!(
            data_dir.operator_token().unwrap_err().to_string().contains("delete the file to get a new one")
        );
    }

    #[test]
    fn the_default_place_follows_the_xdg_rule() {
        let variables = |set: &'static [(&str, &str)]| {
            default_path(|name| set.iter().find(|(known, _)| *known == name).map(|(_, path)| path.into()))
        };

        assert_eq!(variables(&[("XDG_DATA_HOME", "/d"), ("HOME", "/h")]), Some("/d/gathering".into()));
        assert_eq!(
            variables(&[("XDG_DATA_HOME", "d"), ("HOME", "/h")]),
            Some("/h/.local/share/gathering".into())
        );
        assert_eq!(variables(&[]), None);
    }
}
