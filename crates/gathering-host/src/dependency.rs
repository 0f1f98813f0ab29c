//! Dependencies between plugins: what a requirement like `base>=1.2` means, and in which order to load.

use std::str::FromStr;

use gathering_core::{PluginId, PluginManifest, VERSION};
use pep440_rs::{Version, VersionSpecifiers};

use crate::error::PluginError;
use crate::snapshot::Snapshot;
use crate::table::Index;

/// A plugin that another one needs, and in which versions.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) id: PluginId,
    constraint: Constraint,
    /// As it was written.
    text: String,
}

#[derive(Debug, Clone)]
enum Constraint {
    Any,
    Pep440(VersionSpecifiers),
    Semver(semver::VersionReq),
}

impl Dependency {
    /// Takes `base`, `base>=1.2,<2`, `base~=1.4` (PEP 440) and `base^1.2`, `base@1.2.*` (semantic versioning).
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let end = trimmed
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(trimmed.len());
        let id =
            PluginId::new(&trimmed[..end]).map_err(|error| format!("in the dependency `{text}`: {error}"))?;
        let constraint = Constraint::parse(trimmed[end..].trim()).map_err(|reason| {
            format!("the dependency `{text}` has no version constraint that can be read: {reason}")
        })?;
        Ok(Self { id, constraint, text: trimmed.to_owned() })
    }

    fn is_met_by(&self, version: &str) -> bool {
        self.constraint.takes(version)
    }
}

impl Constraint {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('@').trim();
        if text.is_empty() || text == "*" {
            return Ok(Self::Any);
        }
        if text.starts_with('^') || (text.starts_with('~') && !text.starts_with("~=")) {
            return semver::VersionReq::parse(text).map(Self::Semver).map_err(|error| error.to_string());
        }
        VersionSpecifiers::from_str(text).map(Self::Pep440).or_else(|error| {
            // `=1.2`, a bare `1.2.*`, and pre-releases in the spelling of semantic versioning
            semver::VersionReq::parse(text)
                .map(Self::Semver)
                .map_err(|_| error.to_string().replace('\n', " "))
        })
    }

    fn takes(&self, version: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Pep440(specifiers) => {
                Version::from_str(version).is_ok_and(|version| specifiers.contains(&version))
            }
            Self::Semver(requirement) => {
                lenient_semver(version).is_some_and(|version| requirement.matches(&version))
            }
        }
    }
}

/// Reads `1`, `1.2` and `1.2.3-beta` alike.
fn lenient_semver(version: &str) -> Option<semver::Version> {
    let (numbers, rest) = match version.find(['-', '+']) {
        Some(at) => version.split_at(at),
        None => (version, ""),
    };
    let missing = 2usize.checked_sub(numbers.matches('.').count())?;
    semver::Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

/// The dependencies of a plugin, read.
pub(crate) fn dependencies(manifest: &PluginManifest) -> Result<Vec<Dependency>, PluginError> {
    let id = &manifest.metadata.id;
    let read = |text: &String| {
        Dependency::parse(text).map_err(|reason| PluginError::InvalidPlugin { id: id.clone(), reason })
    };
    manifest.metadata.dependencies.iter().map(read).collect()
}

/// Refuses a plugin that needs a newer GatheRing, and one whose dependencies are not loaded in a version it takes.
pub(crate) fn check(snapshot: &Snapshot, manifest: &PluginManifest) -> Result<(), PluginError> {
    check_gathering_version(manifest)?;
    let id = &manifest.metadata.id;
    for dependency in dependencies(manifest)? {
        let loaded =
            snapshot.plugins.get_ignoring_case(dependency.id.as_str()).filter(|entry| entry.is_registered());
        let Some(loaded) = loaded else {
            return Err(PluginError::MissingDependency(format!(
                "Plugin '{id}' requires plugin '{0}' which is not loaded. Load '{0}' first.",
                dependency.id
            )));
        };
        check_version(id, &dependency, &loaded.manifest.metadata.version)?;
    }
    Ok(())
}

fn check_version(id: &PluginId, dependency: &Dependency, version: &str) -> Result<(), PluginError> {
    if dependency.is_met_by(version) {
        return Ok(());
    }
    Err(PluginError::MissingDependency(format!(
        "the plugin `{id}` requires `{}`, but `{}` has version {version}",
        dependency.text, dependency.id
    )))
}

fn check_gathering_version(manifest: &PluginManifest) -> Result<(), PluginError> {
    let metadata = &manifest.metadata;
    let text = metadata.min_gathering_version.trim();
    let constraint =
        if text.starts_with(|c: char| c.is_ascii_digit()) { format!(">={text}") } else { text.to_owned() };
    let constraint = Constraint::parse(&constraint).map_err(|reason| PluginError::InvalidPlugin {
        id: metadata.id.clone(),
        reason: format!("its min_gathering_version `{text}` cannot be read: {reason}"),
    })?;
    if constraint.takes(VERSION) {
        return Ok(());
    }
    let reason = format!("it requires GatheRing {text}, and this is {VERSION}");
    Err(PluginError::InvalidPlugin { id: metadata.id.clone(), reason })
}

/// The plugins to load so that `id` can be: those it needs that are not loaded yet, before those that need them, and
/// itself as the last.
pub(crate) fn load_order(snapshot: &Snapshot, id: &PluginId) -> Result<Vec<PluginId>, PluginError> {
    let mut order: Vec<PluginId> = Vec::new();
    // Depth first with a stack of its own: chains may be long.
    let mut stack = vec![(id.clone(), unloaded_dependencies(snapshot, id)?, 0)];
    while let Some((current, needed, next)) = stack.last_mut() {
        let Some(dependency) = needed.get(*next).cloned() else {
            order.push(current.clone());
            stack.pop();
            continue;
        };
        *next += 1;
        if let Some(start) = stack.iter().position(|(held, ..)| *held == dependency) {
            let mut path: Vec<_> = stack[start..].iter().map(|(held, ..)| held.to_string()).collect();
            path.push(dependency.to_string());
            return Err(PluginError::DependencyCycle { path });
        }
        if !order.contains(&dependency) {
            let needed = unloaded_dependencies(snapshot, &dependency)?;
            stack.push((dependency, needed, 0));
        }
    }
    Ok(order)
}

fn unloaded_dependencies(snapshot: &Snapshot, id: &PluginId) -> Result<Vec<PluginId>, PluginError> {
    let Some(entry) = snapshot.plugins.get(id.as_str()) else { return Ok(Vec::new()) };
    let mut unloaded = Vec::new();
    for dependency in dependencies(&entry.manifest)? {
        let Some(known) = snapshot.plugins.get_ignoring_case(dependency.id.as_str()) else {
            return Err(PluginError::MissingDependency(format!(
                "the plugin `{id}` requires `{}`, which is not known: put it into a plugin folder and discover it",
                dependency.text
            )));
        };
        check_version(id, &dependency, &known.manifest.metadata.version)?;
        if !known.is_registered() {
            unloaded.push(known.id.clone());
        }
    }
    Ok(unloaded)
}

/// The registered plugins that need `id`, directly or through others, so that each comes before what it needs.
pub(crate) fn dependents(snapshot: &Snapshot, id: &PluginId) -> Vec<PluginId> {
    let needs = |who: &PluginId| -> Vec<PluginId> {
        let mut direct: Vec<PluginId> = snapshot
            .plugins
            .list_by(Index::Dependency, &who.as_str().to_ascii_lowercase())
            .iter()
            .filter(|entry| entry.is_registered() && entry.id != *who)
            .map(|entry| entry.id.clone())
            .collect();
        for plugin in snapshot.plugins_building_on(who) {
            if !direct.contains(&plugin) {
                direct.push(plugin);
            }
        }
        direct
    };
    let mut order = Vec::new();
    let mut seen = vec![id.clone()];
    let mut stack = vec![(id.clone(), needs(id), 0)];
    while let Some((current, direct, next)) = stack.last_mut() {
        match direct.get(*next).cloned() {
            Some(dependent) => {
                *next += 1;
                if !seen.contains(&dependent) {
                    seen.push(dependent.clone());
                    let more = needs(&dependent);
                    stack.push((dependent, more, 0));
                }
            }
            None => {
                order.push(current.clone());
                stack.pop();
            }
        }
    }
    order.pop();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(dependency: &str, version: &str) -> bool {
        Dependency::parse(dependency).expect(dependency).is_met_by(version)
    }

    #[test]
    fn constraints_of_pep_440_and_of_semantic_versioning_are_understood() {
        assert!(met("base", "0.0.1"));
        assert!(met("base>=1.2", "1.10"));
        assert!(!met("base>=1.2", "1.1.9"));
        assert!(met("base >= 1.2, < 2", "1.9.0"));
        assert!(met("base~=1.4", "1.9"));
        assert!(!met("base~=1.4.2", "1.5"));
        assert!(met("base==1.*", "1.7.3"));
        assert!(met("base^1.2", "1.9"));
        assert!(!met("base^1.2", "2.0.0"));
        assert!(met("base~1.2", "1.2.9"));
        assert!(met("base@^1", "1.0"));
        assert!(!met("base!=1.5", "1.5"));
    }

    #[test]
    fn a_constraint_that_cannot_be_read_is_refused_with_its_text() {
        let error = Dependency::parse("base>=abc").unwrap_err();

        assert!(
            error.starts_with("the dependency `base>=abc` has no version constraint that can be read"),
            "{error}"
        );
        assert!(Dependency::parse(">=1").is_err());
        assert!(Dependency::parse("../x").is_err());
    }
}
