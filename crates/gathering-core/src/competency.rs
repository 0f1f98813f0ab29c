//! Competencies: the skills an agent can hold.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CompetencyCategory, CompetencyId, NameError, PluginId, ToolName};

/// A skill that an agent can hold, and that tools can require.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompetencyDefinition {
    /// What it is called by.
    pub id: CompetencyId,
    /// Its name for people.
    pub name: String,
    /// What somebody who holds it can do.
    pub description: String,
    /// The field it belongs to.
    pub category: CompetencyCategory,
    /// How far along a learning path it lies.
    #[serde(default)]
    pub level: CompetencyLevel,
    /// What has to be held before it; each must be registered, here or earlier.
    #[serde(default)]
    pub prerequisites: Vec<CompetencyId>,
    /// What it makes possible, in words.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The tools it is about. Describes; it neither grants nor gates.
    #[serde(default)]
    pub tools_enabled: Vec<ToolName>,
    /// The plugin that brought it; `None` if it was registered by hand.
    #[serde(default)]
    pub plugin_id: Option<PluginId>,
    /// Where the folder with its `SKILL.md` lies, below the folder of its plugin; `None`: it has no instructions. Said by the
    /// host, which found the file; what a plugin says is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Box<str>>,
    /// Anything else its author wants to keep beside it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// How much of a skill is held or required. The four known levels are ordered; another word is kept as given and
/// satisfies only itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CompetencyLevel {
    /// `novice`, also written `beginner`.
    Novice,
    /// `intermediate`, the default.
    #[default]
    Intermediate,
    /// `advanced`.
    Advanced,
    /// `expert`.
    Expert,
    /// A word the documents do not have.
    Other(Box<str>),
}

impl CompetencyLevel {
    /// The level's word, such as `advanced`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Novice => "novice",
            Self::Intermediate => "intermediate",
            Self::Advanced => "advanced",
            Self::Expert => "expert",
            Self::Other(word) => word,
        }
    }

    /// Whether holding this level is enough where `required` is asked for.
    pub fn satisfies(&self, required: &Self) -> bool {
        match (self.rank(), required.rank()) {
            (Some(held), Some(required)) => held >= required,
            _ => self == required,
        }
    }

    fn rank(&self) -> Option<u8> {
        match self {
            Self::Novice => Some(0),
            Self::Intermediate => Some(1),
            Self::Advanced => Some(2),
            Self::Expert => Some(3),
            Self::Other(_) => None,
        }
    }
}

impl From<&str> for CompetencyLevel {
    fn from(text: &str) -> Self {
        match text {
            "novice" | "beginner" => Self::Novice,
            "intermediate" => Self::Intermediate,
            "advanced" => Self::Advanced,
            "expert" => Self::Expert,
            other => Self::Other(other.into()),
        }
    }
}
impl From<String> for CompetencyLevel {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}
impl From<CompetencyLevel> for String {
    fn from(level: CompetencyLevel) -> String {
        level.as_str().to_owned()
    }
}
impl fmt::Display for CompetencyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a tool requires of its caller: a competency at any level (`git`), or at a level or above (`git:advanced`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Requirement {
    /// The competency that has to be held, itself or through one that builds on it.
    pub id: CompetencyId,
    /// The least level; `None` takes any.
    pub level: Option<CompetencyLevel>,
}

impl TryFrom<String> for Requirement {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}
impl std::str::FromStr for Requirement {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once(':') {
            Some((id, level)) => Ok(Self { id: CompetencyId::new(id)?, level: Some(level.into()) }),
            None => Ok(Self { id: CompetencyId::new(text)?, level: None }),
        }
    }
}
impl From<Requirement> for String {
    fn from(requirement: Requirement) -> String {
        requirement.to_string()
    }
}
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.level {
            Some(level) => write!(f, "{}:{level}", self.id),
            None => self.id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_beginner_is_novice() {
        let novice = CompetencyLevel::from("beginner");

        assert_eq!(novice, CompetencyLevel::Novice);
        assert!(CompetencyLevel::Expert.satisfies(&CompetencyLevel::Advanced));
        assert!(!novice.satisfies(&CompetencyLevel::Intermediate));
    }

    #[test]
    fn an_unknown_level_satisfies_only_itself() {
        let black_belt = CompetencyLevel::from("black belt");

        assert!(black_belt.satisfies(&black_belt));
        assert!(!CompetencyLevel::Expert.satisfies(&black_belt));
        assert!(!black_belt.satisfies(&CompetencyLevel::Novice));
    }

    #[test]
    fn a_requirement_is_an_id_or_an_id_with_a_level() {
        let requirement: Requirement = "git:advanced".parse().expect("a requirement");

        assert_eq!(requirement.level, Some(CompetencyLevel::Advanced));
        assert_eq!(requirement.to_string(), "git:advanced");
        assert_eq!("git".parse::<Requirement>().expect("a requirement").level, None);
        assert!("".parse::<Requirement>().is_err());
    }
}
