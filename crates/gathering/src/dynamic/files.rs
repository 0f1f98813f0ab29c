//! The files of plugins that are made of code: the current one of each, and its versions.
//!
//! `<id>.py` is what runs. `.versions/<id>/<n>.py` and `<n>.json` are the n-th version and what was asked for; a version
//! without its JSON is not complete. What runs is always the newest complete version. `.versions/<id>/.being-removed` is there
//! while the plugin is removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gathering_core::{DynamicPlugin, PluginId};
use serde::{Deserialize, Serialize};

/// How many versions of a plugin are kept.
const MAX_VERSIONS: usize = 20;
/// The most bytes that are read of one of these files.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The folder that holds them.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

/// What is kept of a version beside its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// Counts from 1.
    pub(super) number: u64,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub(super) created_ms: u64,
    /// The agent that made it; absent: the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<String>,
    /// The agent that made the plugin; absent: the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    /// The version that it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rolled_back_to: Option<u64>,
    /// What was asked for.
    pub(super) request: DynamicPlugin,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a plugin that runs.
    pub(super) fn current(&self, id: &PluginId) -> PathBuf {
        self.folder.join(format!("{id}.py"))
    }

    /// The file of a version.
    pub(super) fn version(&self, id: &PluginId, number: u64) -> PathBuf {
        self.versions_of(id).join(format!("{number}.py"))
    }

    fn record(&self, id: &PluginId, number: u64) -> PathBuf {
        self.versions_of(id).join(format!("{number}.json"))
    }

    pub(super) fn versions_of(&self, id: &PluginId) -> PathBuf {
        self.all_versions().join(id.as_str())
    }

    pub(super) fn all_versions(&self) -> PathBuf {
        self.folder.join(".versions")
    }

    /// The complete versions of a plugin, oldest first.
    pub(super) fn versions(&self, id: &PluginId) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for number in self.numbers(id, "json")? {
            let text = read(&self.record(id, number))?;
            let record: Record = serde_json::from_str(&text).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {error}", self.record(id, number).display()),
                )
            })?;
            records.push(record);
        }
        Ok(records)
    }

    /// The newest complete version of a plugin, which is the one that runs.
    pub(super) fn newest(&self, id: &PluginId) -> io::Result<Option<Record>> {
        Ok(self.versions(id)?.pop())
    }

    /// The numbers of the versions that have a file of this kind, ascending.
    pub(super) fn numbers(&self, id: &PluginId, kind: &str) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(self.versions_of(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == kind) {
                numbers.extend(path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()));
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Writes the file of the version after the newest one, and returns its number. It is not complete yet.
    pub(super) fn stage(&self, id: &PluginId, text: &str) -> io::Result<u64> {
        let number = self.numbers(id, "py")?.pop().unwrap_or(0) + 1;
        let folder = self.versions_of(id);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        write_new(&self.version(id, number), text.as_bytes())?;
        Ok(number)
    }

    /// Puts a version in the place of what runs: whoever reads the file sees the one or the other.
    pub(super) fn place(&self, id: &PluginId, number: u64) -> io::Result<()> {
        let new = self.folder.join(format!(".{id}.new"));
        remove(&new)?;
        fs::hard_link(self.version(id, number), &new)?;
        fs::rename(&new, self.current(id))?;
        sync(&self.folder)
    }

    /// Makes a version complete, and removes the oldest ones beyond the cap.
    pub(super) fn complete(&self, id: &PluginId, record: &Record) -> io::Result<()> {
        let folder = self.versions_of(id);
        let new = folder.join(".new");
        remove(&new)?;
        write_new(&new, &serde_json::to_vec_pretty(record)?)?;
        fs::rename(&new, self.record(id, record.number))?;
        sync(&folder)?;
        sync(&self.all_versions())?;
        let numbers = self.numbers(id, "json")?;
        for number in &numbers[..numbers.len().saturating_sub(MAX_VERSIONS)] {
            self.remove_version(id, *number)?;
        }
        Ok(())
    }

    /// Removes a version.
    pub(super) fn remove_version(&self, id: &PluginId, number: u64) -> io::Result<()> {
        remove(&self.record(id, number))?;
        remove(&self.version(id, number))
    }

    /// Keeps in mind that the plugin is about to be removed: its state says only that it was unloaded, as anybody may do.
    pub(super) fn mark_removal(&self, id: &PluginId) -> io::Result<()> {
        self.unmark_removal(id)?;
        write_new(&self.removal(id), b"")?;
        sync(&self.versions_of(id))
    }

    /// The plugin stays after all.
    pub(super) fn unmark_removal(&self, id: &PluginId) -> io::Result<()> {
        remove(&self.removal(id))
    }

    /// Whether the plugin is about to be removed.
    pub(super) fn is_being_removed(&self, id: &PluginId) -> bool {
        self.removal(id).exists()
    }

    fn removal(&self, id: &PluginId) -> PathBuf {
        self.versions_of(id).join(".being-removed")
    }

    /// Removes all versions of a plugin, at once as far as anybody who starts here later can tell.
    pub(super) fn remove_versions(&self, id: &PluginId) -> io::Result<()> {
        let removed = self.all_versions().join(format!(".removed-{id}"));
        remove_folder(&removed)?;
        match fs::rename(self.versions_of(id), &removed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        sync(&self.all_versions())?;
        remove_folder(&removed)
    }

    /// Removes the file that runs.
    pub(super) fn remove_current(&self, id: &PluginId) -> io::Result<()> {
        remove(&self.current(id))?;
        sync(&self.folder)
    }

    /// The text of the file that runs.
    pub(super) fn text(&self, id: &PluginId) -> io::Result<String> {
        read(&self.current(id))
    }
}

/// Reads a file of ours.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file that was not there; its bytes are on the disk when this returns.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The folders above are closed to others. A worker, which may run as another user, is shown the file alone.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a folder and what is in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Waits until the names in a folder are on the disk.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
