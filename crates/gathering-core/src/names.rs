//! Checked names: once one of these exists, its text keeps the rule.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Plugin ids that would hide a path of the REST interface.
pub const RESERVED_PLUGIN_IDS: [&str; 7] =
    ["available", "stats", "health", "load", "discover", "dynamic", "all"];

/// What the operator is called where agents are called by their ids.
pub(crate) const OPERATOR: &str = "operator";

const MAX_LENGTH: usize = 64;

/// A name that breaks the rule, with what was wrong about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("{what} cannot be empty")]
    Empty {
        /// What was to be named, such as `Tool name`.
        what: &'static str,
    },
    /// The text holds a character that names do not have, or is too long.
    #[error(
        "`{given}` is not a {what}: it takes a letter, then letters, digits, `_` or `-`, at most {MAX_LENGTH} characters"
    )]
    Invalid {
        /// What was to be named.
        what: &'static str,
        /// What was given, shortened and with invisible characters escaped.
        given: String,
    },
    /// The word has a meaning already.
    #[error("`{given}` is reserved: a {what} may not be {}", words.join(", "))]
    Reserved {
        /// What was to be named.
        what: &'static str,
        /// The words that have a meaning.
        words: &'static [&'static str],
        /// What was given.
        given: String,
    },
}

fn check(what: &'static str, empty: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what: empty });
    }
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let goes_on_well = bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if starts_well && goes_on_well && text.len() <= MAX_LENGTH {
        Ok(())
    } else {
        let shown: String = text.chars().take(MAX_LENGTH + 1).flat_map(char::escape_debug).collect();
        Err(NameError::Invalid { what, given: shown })
    }
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $empty:literal $(, $reserved:expr)?) => {
        $(#[$doc])*
        ///
        /// A letter, then letters, digits, `_` or `-`, at most 64 characters: what every model provider takes.
        /// Two names that differ only in case are the same name to a registry. Cloning is cheap.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it as a name.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                let text = text.as_ref();
                check($what, $empty, text)?;
                $(
                    let words: &[&str] = $reserved;
                    if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                        return Err(NameError::Reserved { what: $what, words, given: text.to_owned() });
                    }
                )?
                Ok(Self(text.into()))
            }

            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

checked_name!(
    /// The name that a tool is called by.
    ToolName, "tool name", "Tool name"
);
checked_name!(
    /// The id of a competency.
    CompetencyId, "competency id", "Competency ID"
);
checked_name!(
    /// The name of a file handler.
    FileHandlerName, "file handler name", "File handler name"
);
checked_name!(
    /// The id of a plugin; the words of [`RESERVED_PLUGIN_IDS`] are not ids.
    PluginId, "plugin id", "Plugin ID", &RESERVED_PLUGIN_IDS
);

checked_name!(
    /// The id of an agent, which is never `operator`.
    AgentId, "agent id", "Agent ID", &[OPERATOR]
);

/// The word of `known` that looks most like `wanted`, if one does.
pub(crate) fn nearest_word(known: &[&'static str], wanted: &str) -> Option<&'static str> {
    let wanted = wanted.to_ascii_lowercase();
    let near = known.iter().filter_map(|word| Some((edit_distance(word, &wanted, 3)?, *word)));
    near.min().map(|(_, word)| word)
}

/// The Levenshtein distance of two ASCII texts, or `None` beyond `limit`.
pub fn edit_distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > limit || a.len().max(b.len()) > 64 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, byte) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if byte == other { diagonal } else { 1 + diagonal.min(above).min(row[j]) };
            diagonal = above;
        }
    }
    let distance = row[b.len()];
    (distance <= limit.min(a.len().max(b.len()) / 2)).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_letter_followed_by_letters_digits_underscores_and_hyphens() {
        for good in ["a", "read_file", "Read-File2", &"x".repeat(64)] {
            assert_eq!(ToolName::new(good).expect(good).as_str(), good);
        }
        for bad in
            ["1a", "_a", "a b", "a.b", "read_file ", "read\u{200b}file", "re\u{430}d_file", &"x".repeat(65)]
        {
            assert!(ToolName::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_bad_name_is_refused_with_the_rule_and_without_hidden_characters() {
        let error = ToolName::new("read\u{200b}file").unwrap_err();

        assert_eq!(
            error.to_string(),
            "`read\\u{200b}file` is not a tool name: it takes a letter, then letters, digits, `_` or `-`, at most 64 characters"
        );
    }

    #[test]
    fn an_empty_name_says_so_in_the_words_of_the_documents() {
        assert_eq!(PluginId::new("").unwrap_err().to_string(), "Plugin ID cannot be empty");
        assert_eq!(ToolName::new("").unwrap_err().to_string(), "Tool name cannot be empty");
        assert_eq!(CompetencyId::new("").unwrap_err().to_string(), "Competency ID cannot be empty");
    }

    #[test]
    fn a_plugin_may_not_be_called_like_a_rest_path() {
        assert!(matches!(PluginId::new("Health"), Err(NameError::Reserved { .. })));
        assert!(ToolName::new("health").is_ok());
    }

    #[test]
    fn a_name_is_checked_when_it_is_deserialised() {
        assert!(serde_json::from_str::<ToolName>("\"../x\"").is_err());
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(edit_distance("calculte", "calculate", 3), Some(1));
        assert_eq!(edit_distance("ab", "xy", 3), None);
        assert_eq!(edit_distance("short", "something_longer", 3), None);
        assert_eq!(nearest_word(&["tools", "code"], "Tool"), Some("tools"));
    }
}
