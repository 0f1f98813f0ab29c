//! The packages of plugins: a folder for each set of requirements, shared by all plugins that have the same.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use std::{fs, io};

use gathering_core::{LoadError, LoadErrorKind, Progress};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::installer::{Installer, Rules};
use crate::interpreter::Interpreter;
use crate::sdk;

/// The longest that one requirement may be, in bytes.
const MAX_REQUIREMENT: usize = 1024;

/// What a plugin needs: requirements as PEP 508 writes them, sorted, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Requirements {
    list: BTreeSet<String>,
    only_wheels: bool,
}

impl Requirements {
    /// What code needs that an agent wrote: packages by name, and none that would have to be built.
    pub(crate) fn of_agents() -> Self {
        Self { list: BTreeSet::new(), only_wheels: true }
    }

    /// Adds `more`; refuses what could be read as something other than a requirement.
    pub(crate) fn add(&mut self, more: &[String]) -> Result<(), LoadError> {
        for requirement in more {
            let requirement = requirement.trim();
            let named = requirement.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
            if !named || requirement.len() > MAX_REQUIREMENT || requirement.chars().any(char::is_control) {
                let shown: String = requirement.chars().take(80).flat_map(char::escape_debug).collect();
                let message = format!("`{shown}` is not a requirement such as `requests>=2.28`");
                return Err(LoadError::new(LoadErrorKind::MissingDependency, message));
            }
            if self.only_wheels && requirement.contains('@') {
                let message = format!(
                    "`{requirement:.80}` names a place: code of this kind gets packages by name only, such as `requests>=2.28`"
                );
                return Err(LoadError::new(LoadErrorKind::MissingDependency, message));
            }
            self.list.insert(requirement.to_owned());
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Names the set for this interpreter.
    fn key(&self, interpreter: &Interpreter) -> String {
        let mut hash = Sha256::new();
        hash.update(&interpreter.tag);
        for requirement in &self.list {
            hash.update([0]);
            hash.update(requirement);
        }
        sdk::hex(&hash.finalize()[..12])
    }
}

/// All environments, each in a folder named by a hash of what is in it.
pub(crate) struct Environments {
    folder: PathBuf,
    uv: Option<PathBuf>,
    offline: bool,
    installer: OnceCell<Installer>,
    /// One lock a set, so that two plugins that need the same one install it once.
    building: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Environments {
    pub(crate) fn new(folder: PathBuf, uv: Option<PathBuf>, offline: bool) -> Self {
        Self { folder, uv, offline, installer: OnceCell::new(), building: Mutex::default() }
    }

    /// What installs packages.
    pub(crate) async fn installer(&self, interpreter: &Interpreter) -> Result<&Installer, LoadError> {
        self.installer.get_or_try_init(|| Installer::find(self.uv.as_deref(), interpreter)).await
    }

    /// The folder that holds `requirements`, if they were installed before.
    pub(crate) fn existing(&self, requirements: &Requirements, interpreter: &Interpreter) -> Option<PathBuf> {
        let place = self.folder.join(requirements.key(interpreter));
        place.is_dir().then_some(place)
    }

    /// The folder that holds `requirements`; installs them if they are not there.
    pub(crate) async fn prepare(
        &self,
        requirements: &Requirements,
        interpreter: &Interpreter,
        progress: &Progress,
    ) -> Result<PathBuf, LoadError> {
        if let Some(place) = self.existing(requirements, interpreter) {
            return Ok(place);
        }
        let key = requirements.key(interpreter);
        let lock = {
            let mut building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            building.retain(|_, lock| Arc::strong_count(lock) > 1);
            building.entry(key.clone()).or_default().clone()
        };
        let _building = lock.lock().await;
        if let Some(place) = self.existing(requirements, interpreter) {
            return Ok(place);
        }
        let installer = self.installer(interpreter).await?;
        let rules = Rules { offline: self.offline, only_wheels: requirements.only_wheels };
        let building = Building::begin(&self.folder, &key).map_err(|error| disk(&self.folder, &error))?;
        let list: Vec<_> = requirements.list.iter().cloned().collect();
        let started = Instant::now();
        progress(&format!("installing {} with {installer}", list.join(", ")));
        installer.install(interpreter, &list, &building.0, rules, progress).await?;
        let place = self.folder.join(&key);
        building.finish(&place).map_err(|error| disk(&place, &error))?;
        progress(&format!("installed {} in {:.1?}", list.join(", "), started.elapsed()));
        Ok(place)
    }
}

/// An environment that is being filled; removed when this is dropped before it is whole.
struct Building(PathBuf);

impl Building {
    fn begin(folder: &Path, key: &str) -> io::Result<Self> {
        let place = folder.join(format!(".{key}.{}", std::process::id()));
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&place)?;
        Ok(Self(place))
    }

    fn finish(self, place: &Path) -> io::Result<()> {
        fs::rename(&self.0, place)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("{} could not be removed: {error}", self.0.display());
            }
            _ => {}
        }
    }
}

fn disk(place: &Path, error: &io::Error) -> LoadError {
    let message = format!("{} cannot be written: {error}", place.display());
    LoadError::new(LoadErrorKind::RuntimeFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(tag: &str) -> Interpreter {
        Interpreter {
            program: "/usr/bin/python3".into(),
            version: (3, 11, 0),
            folders: Vec::new(),
            tag: tag.into(),
        }
    }

    fn requirements(list: &[&str]) -> Result<Requirements, LoadError> {
        let mut requirements = Requirements::default();
        requirements.add(&list.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(requirements)
    }

    #[test]
    fn the_same_set_has_the_same_place_whatever_its_order_and_another_interpreter_another() {
        let one = requirements(&["requests>=2", "humanize"]).expect("requirements");
        let two = requirements(&[" humanize", "requests>=2", "humanize"]).expect("requirements");

        assert_eq!(one.key(&interpreter("a")), two.key(&interpreter("a")));
        assert_ne!(one.key(&interpreter("a")), one.key(&interpreter("b")));
    }

    #[test]
    fn what_an_installer_could_take_for_an_option_is_refused() {
        for bad in ["--index-url=http://example.org", "-r/etc/passwd", "", "x\n--pre", "../here"] {
            assert!(requirements(&[bad]).is_err(), "{bad:?} was taken");
        }
        let place = &["greeting @ https://example.org/greeting.tar.gz".to_owned()];
        assert!(Requirements::default().add(place).is_ok());
        let error = Requirements::of_agents().add(place).expect_err("it could be anything");
        assert!(error.message.contains("gets packages by name only"), "{}", error.message);
        let error = requirements(&["-e ."]).expect_err("no requirement");
        assert_eq!(error.message, "`-e .` is not a requirement such as `requests>=2.28`");
    }
}
