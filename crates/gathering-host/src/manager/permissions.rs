//! Permissions: what a plugin asks for, what its operator allows, and what it may touch because of both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gathering_core::{Grants, Origin, Permissions, PluginSource};

use crate::entry::Entry;
use crate::error::PluginError;
use crate::host::Inner;

impl Inner {
    /// What the plugin may touch, with the links in its paths resolved now.
    pub(super) async fn grants(&self, entry: &Entry) -> Result<Grants, PluginError> {
        let asked = entry.manifest.metadata.permissions.clone();
        let allowed = self.allowed(entry);
        let source = entry.source.clone();
        let agent_directories = self.agent_directories.clone();
        self.blocking(move || compute(&source, &agent_directories, &asked, &allowed)).await
    }

    /// What its operator allows it, by command and in the configuration.
    fn allowed(&self, entry: &Entry) -> Permissions {
        match self.permissions.get(&entry.id.as_str().to_ascii_lowercase()) {
            Some(configured) => entry.allowed.union(configured),
            None => entry.allowed.clone(),
        }
    }
}

fn compute(
    source: &PluginSource,
    agent_directories: &[PathBuf],
    asked: &Permissions,
    allowed: &Permissions,
) -> Grants {
    let place = source.path().map(resolved);
    let is_agents = |path: &Path| {
        agent_directories.iter().any(|folder| path.starts_with(folder) || path.starts_with(resolved(folder)))
    };
    let origin = if place.iter().map(PathBuf::as_path).chain(source.path()).any(is_agents) {
        Origin::Agent
    } else {
        Origin::Installed
    };
    let own_folder = match &place {
        Some(path) if path.is_dir() => Some(path.as_path()),
        Some(path) => path.parent(),
        None => None,
    };
    Grants::new(origin, own_folder, &asked.with_paths(resolved), &allowed.with_paths(resolved))
}

/// The path with `~` and links resolved, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = match path.strip_prefix("~") {
        // Without a home folder it stays as it is, and is no path that exists.
        Ok(rest) => std::env::home_dir().unwrap_or_else(|| "/~".into()).join(rest),
        Err(_) => path.to_owned(),
    };
    let mut missing: Vec<OsString> = Vec::new();
    let mut existing = path.as_path();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name.to_owned());
                existing = parent;
            }
            _ => return path.clone(),
        }
    }
}
