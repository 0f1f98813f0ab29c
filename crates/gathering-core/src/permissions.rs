//! Permissions: what a plugin asks to touch, and in the same words what its operator allows.

mod access;
mod grants;
mod host;
mod limits;
mod words;

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use access::Access;
pub use grants::{Grants, Origin};
pub use host::{HostPattern, is_public};
pub use limits::ResourceLimits;

/// The most entries that one list of permissions may have.
const MAX_ENTRIES: usize = 256;
/// The longest path, in bytes.
const MAX_PATH: usize = 4096;
/// The longest name of a variable, secret or command, in bytes.
const MAX_NAME: usize = 128;

/// What a plugin asks to touch, or what its operator allows it; it may touch what is in both: see [`Grants`].
///
/// Written as `permissions` in a plugin's metadata, as `[tool.gathering.permissions]` in its PEP 723 block, and as
/// `[plugins.permissions.ID]` in the configuration, with these names. A single text stands for a list of one.
///
/// ```
/// # use gathering_core::Permissions;
/// # use serde_json::json;
/// let asked: Permissions = serde_json::from_value(json!({"read": ["/data/in"], "network": "*.example.com:443"}))?;
/// assert_eq!(asked.to_words(), ["read=/data/in", "network=*.example.com:443"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Permissions {
    /// Files and folders to read, with all that is below them; absolute, or below the home folder as `~/name`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub read: BTreeSet<PathBuf>,
    /// Files and folders to write, with all that is below them. What may be written may be read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub write: BTreeSet<PathBuf>,
    /// Hosts to connect to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub network: BTreeSet<HostPattern>,
    /// Variables of the server's environment to see, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub environment: BTreeSet<String>,
    /// Secrets to know, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Programs to run, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
    /// How much to use of what is limited.
    #[serde(skip_serializing_if = "ResourceLimits::is_empty")]
    pub limits: ResourceLimits,
}

/// Why permissions are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// A path is none that can be allowed.
    #[error("the path `{given}` cannot be taken: {reason}")]
    Path {
        /// What was given, shortened.
        given: String,
        /// What is wrong and what to write instead.
        reason: &'static str,
    },
    /// A host is none.
    #[error(
        "the host `{given}` cannot be taken: {reason}; \
         expected one such as `api.example.com`, `*.example.com:443` or `192.0.2.7`"
    )]
    Host {
        /// What was given, shortened.
        given: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A name of a variable, secret or command is none.
    #[error("`{given}` is no name of {what}: {rule}, at most {MAX_NAME} characters")]
    Name {
        /// What was to be named.
        what: &'static str,
        /// What was given, shortened.
        given: String,
        /// What such a name looks like.
        rule: &'static str,
    },
    /// A limit is no number or size.
    #[error("the limit `{name}` is `{given}`: expected {expected}")]
    Limit {
        /// Which limit.
        name: &'static str,
        /// What was given, shortened.
        given: String,
        /// What can be given.
        expected: &'static str,
    },
    /// There are too many entries in one list.
    #[error("there are {count} entries in `{list}`, more than {MAX_ENTRIES}")]
    TooMany {
        /// Which list.
        list: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A word of a command line is no permission.
    #[error(
        "`{given}` is no permission: expected one such as `read=/data`, `write=/data/out`, \
         `network=api.example.com`, `env=HOME`, `secret=API_KEY`, `command=git` or `memory=1GiB`"
    )]
    Word {
        /// What was given, shortened.
        given: String,
    },
}

impl Permissions {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is in either; of two limits the higher.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            read: &self.read | &other.read,
            write: &self.write | &other.write,
            network: &self.network | &other.network,
            environment: &self.environment | &other.environment,
            secrets: &self.secrets | &other.secrets,
            commands: &self.commands | &other.commands,
            limits: self.limits.higher(&other.limits),
        }
    }

    /// What is left without the entries of `other`, each written as it is here.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self {
            read: &self.read - &other.read,
            write: &self.write - &other.write,
            network: &self.network - &other.network,
            environment: &self.environment - &other.environment,
            secrets: &self.secrets - &other.secrets,
            commands: &self.commands - &other.commands,
            limits: self.limits.without(&other.limits),
        }
    }

    /// The entries of which `allowed` allows nothing, not even a part.
    #[must_use]
    pub fn not_in(&self, allowed: &Self) -> Self {
        let readable = &allowed.read | &allowed.write;
        let out = |path: &&PathBuf, roots: &BTreeSet<PathBuf>| {
            !roots.iter().any(|root| narrower(path, root).is_some())
        };
        Self {
            read: self.read.iter().filter(|path| out(path, &readable)).cloned().collect(),
            write: self.write.iter().filter(|path| out(path, &allowed.write)).cloned().collect(),
            network: self
                .network
                .iter()
                .filter(|host| !allowed.network.iter().any(|other| host.meet(other).is_some()))
                .cloned()
                .collect(),
            environment: &self.environment - &allowed.environment,
            secrets: &self.secrets - &allowed.secrets,
            commands: &self.commands - &allowed.commands,
            limits: self.limits.above(&allowed.limits.or(&ResourceLimits::DEFAULT)),
        }
    }

    /// The same with other paths, such as those that links lead to.
    #[must_use]
    pub fn with_paths(&self, change: impl Fn(&Path) -> PathBuf) -> Self {
        Self {
            read: self.read.iter().map(|path| change(path)).collect(),
            write: self.write.iter().map(|path| change(path)).collect(),
            ..self.clone()
        }
    }
}

/// The narrower of two roots, if one lies in the other.
fn narrower<'a>(one: &'a Path, other: &'a Path) -> Option<&'a Path> {
    if one.starts_with(other) {
        Some(one)
    } else if other.starts_with(one) {
        Some(other)
    } else {
        None
    }
}

/// Permissions as somebody wrote them.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    read: List,
    write: List,
    network: List,
    #[serde(alias = "env")]
    environment: List,
    secrets: List,
    commands: List,
    limits: limits::Written,
}

/// A list of texts, or a single one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts is expected")]
enum List {
    One(String),
    Many(Vec<String>),
}

impl Default for List {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl List {
    fn checked<T: Ord>(
        self,
        list: &'static str,
        check: impl Fn(&str) -> Result<T, PermissionError>,
    ) -> Result<BTreeSet<T>, PermissionError> {
        let entries = match self {
            Self::One(entry) => vec![entry],
            Self::Many(entries) => entries,
        };
        if entries.len() > MAX_ENTRIES {
            return Err(PermissionError::TooMany { list, count: entries.len() });
        }
        entries.iter().map(|entry| check(entry)).collect()
    }
}

impl TryFrom<Written> for Permissions {
    type Error = PermissionError;

    fn try_from(written: Written) -> Result<Self, PermissionError> {
        Ok(Self {
            read: written.read.checked("read", root)?,
            write: written.write.checked("write", root)?,
            network: written.network.checked("network", str::parse)?,
            environment: written.environment.checked("environment", |name| variable("a variable", name))?,
            secrets: written.secrets.checked("secrets", |name| variable("a secret", name))?,
            commands: written.commands.checked("commands", command)?,
            limits: written.limits.try_into()?,
        })
    }
}

/// A path that can be allowed: absolute or below `~`, without `..`, written in one way.
fn root(text: &str) -> Result<PathBuf, PermissionError> {
    let refuse = |reason| Err(PermissionError::Path { given: shown(text), reason });
    if text.len() > MAX_PATH {
        return refuse("it is longer than 4096 bytes");
    }
    if text.contains('\0') {
        return refuse("it holds a null byte");
    }
    let path = Path::new(text);
    if !path.is_absolute() && path.components().next() != Some(Component::Normal("~".as_ref())) {
        return refuse("it must be absolute, or begin with `~/`");
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return refuse("write it without `..`");
    }
    // Collecting drops doubled and trailing slashes and `.`.
    Ok(path.components().collect())
}

/// The name of a variable (POSIX, "Environment Variables") or secret.
pub(crate) fn variable(what: &'static str, name: &str) -> Result<String, PermissionError> {
    let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if starts_well && name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(name.to_owned());
    }
    let rule = "it takes a letter or `_`, then letters, digits or `_`";
    Err(PermissionError::Name { what, given: shown(name), rule })
}

fn command(name: &str) -> Result<String, PermissionError> {
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
    if fits && !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with(['-', '.']) {
        return Ok(name.to_owned());
    }
    let rule = "it takes letters, digits, `.`, `_`, `+` or `-`, and no path";
    Err(PermissionError::Name { what: "a command", given: shown(name), rule })
}

/// A text that somebody gave, fit to be shown.
fn shown(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
