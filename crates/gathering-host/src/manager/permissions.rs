//! Permissions: what a plugin asks for, what its operator allows, and what it may touch because of both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gathering_core::{Grants, Origin, Permissions, PluginId, PluginSecrets, PluginSource, Runtime};
use serde::Serialize;
use serde_json::Value;

use crate::entry::Entry;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::Inner;
use crate::instance::Launch;

/// What a plugin asks for, what its operator allows, and what follows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginPermissions {
    /// The plugin.
    pub plugin_id: PluginId,
    /// What it asks for.
    pub asked: Permissions,
    /// What its operator allows.
    pub allowed: Allowed,
    /// What it may touch.
    pub effective: Grants,
    /// What it asks for and is not allowed, not even a part of it.
    pub missing: Permissions,
    /// The command that would allow what is missing.
    pub grant_command: Option<String>,
}

/// What the operator of a plugin allows it, by where it was said. Both hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Allowed {
    /// By [`Host::grant`](crate::Host::grant); kept over a restart.
    pub granted: Permissions,
    /// In the configuration.
    pub configured: Permissions,
}

/// What came of a change of what a plugin is allowed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PermissionsChange {
    /// The permissions as they are now.
    pub permissions: PluginPermissions,
    /// Whether the plugin was reloaded for it; no call was lost. False if it is not loaded, or may touch what it could
    /// before.
    pub reloaded: bool,
}

impl Inner {
    pub(super) async fn permissions(&self, id: &str) -> Result<PluginPermissions, PluginError> {
        self.permissions_of(&*self.entry(id)?).await
    }

    async fn permissions_of(&self, entry: &Entry) -> Result<PluginPermissions, PluginError> {
        let asked = entry.manifest.metadata.permissions.clone();
        let (effective, missing) = self.grants_and_missing(entry).await?;
        let configured = match effective.origin {
            Origin::Installed => self.configured_permissions(&entry.id),
            Origin::Agent => Permissions::default(),
        };
        let allowed = Allowed { granted: entry.allowed.clone(), configured };
        let grant_command = (!missing.is_empty()).then(|| missing.grant_command(&entry.id));
        Ok(PluginPermissions {
            plugin_id: entry.id.clone(),
            asked,
            allowed,
            effective,
            missing,
            grant_command,
        })
    }

    pub(super) async fn grant(
        self: Arc<Self>,
        id: &str,
        permissions: Permissions,
    ) -> Result<PermissionsChange, PluginError> {
        let id = self.entry(id)?.id.clone();
        let granted = permissions.clone();
        self.allow(&id, |allowed| Ok(allowed.union(&granted))).await?;
        self.publish_event(EventKind::PermissionsGranted { plugin_id: id.clone(), permissions });
        let reloaded = self.clone().apply_permissions(&id).await?;
        Ok(PermissionsChange { permissions: self.permissions(id.as_str()).await?, reloaded })
    }

    /// If the plugin cannot go on with less, it is stopped: what was revoked is gone in any case.
    pub(super) async fn revoke(
        self: Arc<Self>,
        id: &str,
        permissions: Option<Permissions>,
    ) -> Result<PermissionsChange, PluginError> {
        let id = self.entry(id)?.id.clone();
        let configured = self.configured_permissions(&id);
        let mut revoked = Permissions::default();
        self.allow(&id, |allowed| {
            revoked = permissions.unwrap_or_else(|| allowed.clone());
            let unknown = revoked.without(allowed);
            if unknown.is_empty() {
                return Ok(allowed.without(&revoked));
            }
            Err(not_granted(&id, allowed, &configured, &unknown))
        })
        .await?;
        self.publish_event(EventKind::PermissionsRevoked { plugin_id: id.clone(), permissions: revoked });
        let reloaded = match self.clone().apply_permissions(&id).await {
            Ok(reloaded) => reloaded,
            Err(error) => {
                self.clone().unload(id.as_str(), true).await?;
                let error = PluginError::StoppedByRevoke { id: id.clone(), reason: error.to_string() };
                self.fail(&id, &error).await;
                return Err(error);
            }
        };
        Ok(PermissionsChange { permissions: self.permissions(id.as_str()).await?, reloaded })
    }

    /// Changes and saves what the plugin is allowed by command.
    async fn allow(
        &self,
        id: &PluginId,
        change: impl FnOnce(&Permissions) -> Result<Permissions, PluginError>,
    ) -> Result<(), PluginError> {
        // A load or reload that began before would put back what it began with.
        let _operation = self.operate(id.as_str()).await;
        self.update(id, |entry| {
            entry.allowed = change(&entry.allowed)?;
            Ok(())
        })
        .await
    }

    /// Reloads the plugin if it runs with other grants than it has now.
    async fn apply_permissions(self: Arc<Self>, id: &PluginId) -> Result<bool, PluginError> {
        let entry = self.entry(id.as_str())?;
        let Some(instance) = &entry.instance else { return Ok(false) };
        if *instance.grants() == self.grants(&entry).await? {
            return Ok(false);
        }
        self.reload(id.as_str(), None).await?;
        Ok(true)
    }

    /// Everything that starting the plugin takes, with what it may touch as it is now.
    pub(super) async fn launch(
        &self,
        entry: &Entry,
        runtime: Arc<dyn Runtime>,
        config: Value,
    ) -> Result<Launch, PluginError> {
        let grants = self.grants(entry).await?;
        let secrets = Arc::new(PluginSecrets::new(self.secrets.clone(), grants.secrets.clone()));
        let asked = entry.manifest.metadata.permissions.clone();
        let (id, source) = (entry.id.clone(), entry.source.clone());
        Ok(Launch { id, runtime, source, config, grants, asked, secrets })
    }

    async fn grants(&self, entry: &Entry) -> Result<Grants, PluginError> {
        self.grants_and_missing(entry).await.map(|(grants, _)| grants)
    }

    async fn grants_and_missing(&self, entry: &Entry) -> Result<(Grants, Permissions), PluginError> {
        let asked = entry.manifest.metadata.permissions.clone();
        let granted = entry.allowed.clone();
        let configured = self.configured_permissions(&entry.id);
        let source = entry.source.clone();
        let agent_directories = self.agent_directories.clone();
        self.blocking(move || {
            let origin = origin(&source, &agent_directories);
            // An agent chooses the id of what it makes, and could take one that the configuration speaks of.
            let allowed = match origin {
                Origin::Installed => granted.union(&configured),
                Origin::Agent => granted,
            };
            compute(origin, &source, &asked, &allowed)
        })
        .await
    }

    /// Whether what was granted to the plugin stays so when its code changes. Not to one that an agent made: its operator
    /// has not seen what the new code does.
    pub(super) async fn keeps_grants(&self, source: &PluginSource) -> Result<bool, PluginError> {
        let source = source.clone();
        let agent_directories = self.agent_directories.clone();
        self.blocking(move || origin(&source, &agent_directories) == Origin::Installed).await
    }

    /// Tells what is no longer granted because the plugin's code has changed.
    pub(super) fn tell_lapsed(&self, id: &PluginId, before: &Permissions, after: &Permissions) {
        let permissions = before.without(after);
        if !permissions.is_empty() {
            tracing::warn!(plugin = %id, "its code has changed, so what was granted to it is not any more");
            self.publish_event(EventKind::PermissionsRevoked { plugin_id: id.clone(), permissions });
        }
    }

    fn configured_permissions(&self, id: &PluginId) -> Permissions {
        self.allowances.get(&id.as_str().to_ascii_lowercase()).cloned().unwrap_or_default()
    }
}

/// Who made the plugin, by where it lies. A link into a folder of agents is in it, and so is one out of it.
fn origin(source: &PluginSource, agent_directories: &[PathBuf]) -> Origin {
    let place = source.path().map(resolved);
    let is_agents = |path: &Path| {
        agent_directories.iter().any(|folder| path.starts_with(folder) || path.starts_with(resolved(folder)))
    };
    match place.iter().map(PathBuf::as_path).chain(source.path()).any(is_agents) {
        true => Origin::Agent,
        false => Origin::Installed,
    }
}

/// What may be touched, and what is asked for and not allowed, with links resolved as they are now.
fn compute(
    origin: Origin,
    source: &PluginSource,
    asked: &Permissions,
    allowed: &Permissions,
) -> (Grants, Permissions) {
    let place = source.path().map(|path| PluginSource::Path(resolved(path)));
    let own_folder = place.as_ref().and_then(PluginSource::folder);
    let allowed = allowed.with_paths(resolved);
    let unmet = |paths: &std::collections::BTreeSet<PathBuf>, is_unmet: &dyn Fn(&Path) -> bool| {
        paths.iter().filter(|path| is_unmet(path)).cloned().collect()
    };
    let missing = asked.with_paths(resolved).not_in(&allowed);
    // As the plugin wrote them, which reads better than where links lead.
    let missing = Permissions {
        read: unmet(&asked.read, &|path| missing.read.contains(&resolved(path))),
        write: unmet(&asked.write, &|path| missing.write.contains(&resolved(path))),
        ..missing
    };
    (Grants::new(origin, own_folder, &asked.with_paths(resolved), &allowed), missing)
}

fn not_granted(
    id: &PluginId,
    allowed: &Permissions,
    configured: &Permissions,
    unknown: &Permissions,
) -> PluginError {
    let granted = match allowed.to_words() {
        words if words.is_empty() => "nothing is".to_owned(),
        words => format!("granted are: {}", words.join(" ")),
    };
    let elsewhere = unknown.without(configured) != *unknown;
    let hint =
        if elsewhere { "; take what `plugins.permissions` allows out of the configuration" } else { "" };
    PluginError::NotGranted {
        id: id.clone(),
        permissions: unknown.to_words().join(" "),
        granted: granted + hint,
    }
}

/// The path with `~` and links resolved, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = match path.strip_prefix("~") {
        // Without a home folder it is a path that does not exist.
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
