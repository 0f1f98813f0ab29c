//! What is wrong with a configuration: the place, the key and the remedy.

use std::path::PathBuf;

use figment::error::Kind;

use super::Config;

/// Why a configuration cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file `{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The file is not TOML.
    #[error("the configuration file `{}` is not TOML: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected there.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no key `{key}`{hint}")]
    UnknownKey {
        /// The file, variable or flag.
        origin: String,
        /// The key, with the tables it is in.
        key: String,
        /// The nearest key that exists, as a half-sentence; may be empty.
        hint: String,
    },
    /// A value of the wrong kind.
    #[error("{origin}: `{key}` cannot be taken: {reason}")]
    Invalid {
        /// The file, variable or flag.
        origin: String,
        /// The key, with the tables it is in.
        key: String,
        /// What was found and what is expected.
        reason: String,
    },
}

impl ConfigError {
    /// The first thing that is wrong, told by figment; `origin` says where the value of a key comes from.
    pub(super) fn from_figment(error: figment::Error, origin: impl Fn(&str) -> String) -> Self {
        let mut path = error.path;
        let (kind, unknown) = match error.kind {
            Kind::UnknownField(field, _) => {
                if path.last() != Some(&field) {
                    path.push(field.clone());
                }
                (None, Some(field))
            }
            kind => (Some(kind), None),
        };
        let key = path.join(".");
        let origin = origin(&key);
        match (kind, unknown) {
            (Some(kind), _) => Self::Invalid { origin, key, reason: plain(&kind) },
            (None, _) => {
                let hint =
                    nearest_key(&key).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
                Self::UnknownKey { origin, key, hint }
            }
        }
    }
}

/// What was found and what is expected, in words for people who do not know Rust.
fn plain(kind: &Kind) -> String {
    let (found, expected) = match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => (found, expected),
        Kind::UnknownVariant(found, expected) => {
            return format!("it is `{found}`, and can be {}", expected.join(" or "));
        }
        other => return other.to_string(),
    };
    let expected = match expected.as_str() {
        "a sequence" => "a list such as [\"a\", \"b\"]",
        table if table.starts_with("struct ") || table == "a map" => "a table",
        "u16" => "a whole number from 0 to 65535",
        "u64" | "usize" => "a whole number from 0",
        "path string" => "a path",
        other => other,
    };
    format!("found {found}, expected {expected}")
}

/// The key that exists and looks most like `key`.
pub(super) fn nearest_key(key: &str) -> Option<String> {
    let name = last(key);
    known_keys()
        .into_iter()
        .map(|known| {
            let distance = strsim::osa_distance(key, &known).min(strsim::osa_distance(name, last(&known)));
            (distance, strsim::osa_distance(key, &known), known)
        })
        .filter(|(distance, ..)| *distance <= 2 && distance * 2 <= name.len())
        .min()
        .map(|(.., known)| known)
}

/// Every key that holds a value, such as `server.port`.
pub(super) fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    let defaults = serde_json::to_value(Config::default()).expect("the configuration is plain data");
    super::read::each_setting(&defaults, "", &mut |key, _| keys.push(key.to_owned()));
    keys
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
