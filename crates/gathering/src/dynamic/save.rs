//! Saving a plugin that was made of code: its file is written into a plugin folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gathering_core::Caller;
use gathering_host::AuthoringError;

use super::files::{remove, sync, write_new};
use super::{Inner, storage};

impl Inner {
    pub(super) async fn save(
        self: Arc<Self>,
        caller: Caller,
        plugin: &str,
        path: Option<PathBuf>,
        overwrite: bool,
    ) -> Result<PathBuf, AuthoringError> {
        if matches!(caller, Caller::Agent(_)) {
            let reason = "only the operator saves plugins: what lies in a plugin folder may touch more than what \
                          an agent made";
            return Err(AuthoringError::Forbidden(reason.to_owned()));
        }
        let _act = self.act(plugin).await;
        let id = self.dynamic(plugin)?;
        let file = PathBuf::from(format!("{id}.py"));
        let path = match path.unwrap_or(file) {
            // A mere name is one in the first of the folders.
            path if path.parent() == Some(Path::new("")) => self.plugins.join(path),
            path => path,
        };
        let folders = self.host.directories();
        let target = tokio::task::spawn_blocking(move || allowed(&path, &folders))
            .await
            .map_err(|panic| storage(io::Error::other(panic)))??;
        let saved = target.clone();
        let text = self.on_disk(move |files| files.text(&id)).await?;
        let written = tokio::task::spawn_blocking(move || write(&target, &text, overwrite)).await;
        match written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(()) => Ok(saved),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(AuthoringError::FileExists(saved))
            }
            Err(error) => Err(storage(error)),
        }
    }
}

/// Where a plugin is written that is to be saved at `path`: directly in one of the folders, under a name that is found.
fn allowed(path: &Path, folders: &[PathBuf]) -> Result<PathBuf, AuthoringError> {
    let invalid = |reason: String| AuthoringError::InvalidPath { path: path.to_owned(), reason };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_found = name.len() > ".py".len() && name.ends_with(".py") && !name.starts_with(['.', '_']);
    if !is_found || name.len() > 255 || name.contains(char::is_control) {
        return Err(invalid("its name must end with `.py` and begin with neither `_` nor `.`".to_owned()));
    }
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent()?.canonicalize().ok());
    let is_one = |known: &&PathBuf| known.canonicalize().ok().is_some_and(|known| Some(known) == folder);
    match folders.iter().find(is_one) {
        Some(folder) => Ok(folder.join(name)),
        None => {
            let folders: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
            Err(invalid(format!("it must lie in a plugin folder: {}", folders.join(" or "))))
        }
    }
}

/// Writes the file, whole or not at all. A link that is there is replaced, not followed.
fn write(path: &Path, text: &str, overwrite: bool) -> io::Result<()> {
    let folder = path.parent().expect("it lies in a folder");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    remove(&new)?;
    write_new(&new, text.as_bytes())?;
    let placed = if overwrite { fs::rename(&new, path) } else { fs::hard_link(&new, path) };
    remove(&new)?;
    placed?;
    sync(folder)
}
