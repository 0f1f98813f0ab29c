//! At the start: what a killed process left half done is finished or undone.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use gathering_core::{AgentId, PluginId, PluginManifest, PluginSource, PluginStatus};
use gathering_host::{AuthoringError, PluginError};

use super::files::{Files, read, remove, remove_folder};
use super::{Inner, make};

/// Brings files and host together; returns what could not be.
///
/// A plugin without a complete version was not finished, or is being removed: it goes. One with a complete version that
/// the host does not know had passed everything: it is loaded.
pub(super) async fn tidy(inner: &Inner) -> Vec<String> {
    let mut problems = Vec::new();
    let found = match inner.on_disk(leftovers).await {
        Ok(found) => found,
        Err(error) => return vec![error.to_string()],
    };
    for id in found {
        inner.set_maker(&id, maker(inner, &id).await);
        if let Err(error) = tidy_one(inner, &id).await {
            problems.push(format!("the plugin `{id}`, which was made of code: {error}"));
        }
    }
    problems
}

/// Which agent made the plugin. If that cannot be told, one that nobody is: its code may call nothing then.
async fn maker(inner: &Inner, id: &PluginId) -> Option<AgentId> {
    let of = id.clone();
    let nobody = || AgentId::new("unknown").ok();
    match inner.on_disk(move |files| files.newest(&of)).await {
        Ok(newest) => {
            newest.and_then(|newest| newest.owner).and_then(|owner| AgentId::new(owner).ok().or_else(nobody))
        }
        Err(_) => nobody(),
    }
}

/// Removes what nobody can want, and tells which plugins there is something of.
fn leftovers(files: &Files) -> io::Result<BTreeSet<PluginId>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(files.folder())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(".new") {
            remove(&entry.path())?;
        }
        found.extend(name.strip_suffix(".py").and_then(|id| PluginId::new(id).ok()));
    }
    let versions = match fs::read_dir(files.all_versions()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        versions => versions?,
    };
    for entry in versions {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".removed-") {
            remove_folder(&entry.path())?;
        }
        found.extend(PluginId::new(&name).ok());
    }
    Ok(found)
}

async fn tidy_one(inner: &Inner, id: &PluginId) -> Result<(), AuthoringError> {
    finish_removal(inner, id).await?;
    let is_known = inner.dynamic(id.as_str()).is_ok();
    let of = id.clone();
    let newest = inner
        .on_disk(move |files| {
            let complete = files.numbers(&of, "json")?;
            for number in files.numbers(&of, "py")? {
                if !complete.contains(&number) {
                    files.remove_version(&of, number)?;
                }
            }
            let Some(newest) = files.newest(&of)? else { return Ok(None) };
            undo_half_update(files, &of, &complete)?;
            Ok(files.newest(&of)?.or(Some(newest)))
        })
        .await?;
    match newest {
        None => {
            if is_known {
                inner.host.forget(id.as_str(), true).await?;
            }
            let of = id.clone();
            inner
                .on_disk(move |files| files.remove_versions(&of).and_then(|()| files.remove_current(&of)))
                .await
        }
        Some(_) if is_known => Ok(()),
        Some(newest) => {
            let of = id.clone();
            inner.on_disk(move |files| files.place(&of, newest.number)).await?;
            let manifest: PluginManifest = make::manifest(&newest.request)?;
            let source = PluginSource::Path(inner.files.current(id));
            let trial = inner.host.try_out(source, manifest, None).await?;
            Ok(trial.keep(PluginStatus::Enabled).await?)
        }
    }
}

/// Removes the versions of a plugin that was being removed. One that others need was not unloaded yet: it stays.
async fn finish_removal(inner: &Inner, id: &PluginId) -> Result<(), AuthoringError> {
    let of = id.clone();
    if !inner.on_disk(move |files| Ok(files.is_being_removed(&of))).await? {
        return Ok(());
    }
    let is_known = inner.dynamic(id.as_str()).is_ok();
    let forgotten = if is_known { inner.host.forget(id.as_str(), false).await.map(drop) } else { Ok(()) };
    let of = id.clone();
    match forgotten {
        Ok(()) => inner.on_disk(move |files| files.remove_versions(&of)).await,
        Err(PluginError::HasDependents { .. }) => inner.on_disk(move |files| files.unmark_removal(&of)).await,
        Err(error) => Err(error.into()),
    }
}

/// A newest version that does not run, while the one before it does, was about to take over.
fn undo_half_update(files: &Files, id: &PluginId, complete: &[u64]) -> io::Result<()> {
    let [.., before, newest] = complete else { return Ok(()) };
    let Ok(current) = files.text(id) else { return Ok(()) };
    let runs = |number| read(&files.version(id, number)).is_ok_and(|text| text == current);
    if !runs(*newest) && runs(*before) { files.remove_version(id, *newest) } else { Ok(()) }
}
