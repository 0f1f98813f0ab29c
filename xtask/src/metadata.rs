//! What `cargo metadata` says of the workspace, as far as the checks need it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The workspace and everything it depends on, on any platform.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    workspace_members: Vec<String>,
}

/// One crate in one version.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; None when the crate only has a licence file, or nothing.
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: PathBuf,
    /// What its own manifest names.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line under `[dependencies]` or its kin.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// None for an ordinary one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// The crates of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

impl Package {
    /// What it needs outside its tests, by name.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")).map(|d| d.name.as_str())
    }
}

/// Asks cargo.
pub(crate) fn read(root: &Path) -> Result<Metadata, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version=1", "--locked", "--quiet"]).current_dir(root);
    let output = cargo.output().map_err(|error| format!("`cargo metadata` did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("`cargo metadata` said something else: {error}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A workspace of these crates: name, what it needs, what its tests need.
    pub(crate) fn workspace(crates: &[(&str, &[&str], &[&str])]) -> Metadata {
        let dependency = |kind: Option<&'static str>| {
            move |name: &&str| Dependency { name: (*name).into(), kind: kind.map(str::to_owned) }
        };
        let packages = crates.iter().map(|(name, needs, tests)| Package {
            id: (*name).into(),
            name: (*name).into(),
            version: "1.0.0".into(),
            license: Some("MIT".into()),
            manifest_path: PathBuf::new(),
            dependencies: needs
                .iter()
                .map(dependency(None))
                .chain(tests.iter().map(dependency(Some("dev"))))
                .collect(),
        });
        Metadata {
            packages: packages.collect(),
            workspace_members: crates.iter().map(|(name, ..)| (*name).into()).collect(),
        }
    }
}
