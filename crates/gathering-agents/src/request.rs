//! What is asked for when an agent is made or changed, as it comes from outside.

use gathering_core::{AgentLimits, CompetencyLevel};
use serde::{Deserialize, Deserializer};

/// An agent that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// Its name for people. Its id is made of it.
    pub name: String,
    /// What it holds.
    #[serde(default)]
    pub competencies: Vec<CompetencyGrant>,
    /// The only tools that it may call; `None`: all that its competencies open to it.
    #[serde(default)]
    pub allowed_tools: Option<Vec<String>>,
    /// Tools that it may not call, whatever it holds.
    #[serde(default)]
    pub denied_tools: Vec<String>,
    /// How much it may do.
    #[serde(default)]
    pub limits: AgentLimits,
    /// The provider of its model.
    #[serde(default)]
    pub provider: Option<String>,
    /// Its model.
    #[serde(default)]
    pub model: Option<String>,
    /// What it is told before everything else.
    #[serde(default)]
    pub instructions: String,
    /// The agent whose rights bound its own.
    #[serde(default)]
    pub parent: Option<String>,
}

/// A competency that is to be granted: `"git"`, `"git:advanced"` or `{"id": "git", "level": "advanced"}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct CompetencyGrant {
    /// The competency.
    pub id: String,
    /// How well it is held then.
    pub level: CompetencyLevel,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a competency such as \"git\", \"git:advanced\" or {\"id\": \"git\", \"level\": \"advanced\"}"
)]
enum Written {
    Short(String),
    Long(Long),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    id: String,
    #[serde(default)]
    level: CompetencyLevel,
}

impl From<Written> for CompetencyGrant {
    fn from(written: Written) -> Self {
        match written {
            Written::Short(text) => Self::from(text.as_str()),
            Written::Long(Long { id, level }) => Self { id, level },
        }
    }
}
impl From<&str> for CompetencyGrant {
    fn from(text: &str) -> Self {
        match text.split_once(':') {
            Some((id, level)) => Self { id: id.to_owned(), level: level.into() },
            None => Self { id: text.to_owned(), level: CompetencyLevel::default() },
        }
    }
}

/// What is to be changed of an agent; what is not said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentChange {
    /// Its name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The only tools that it may call; `Some(None)`, written `null`: all that its competencies open to it.
    #[serde(default, deserialize_with = "said")]
    pub allowed_tools: Option<Option<Vec<String>>>,
    /// Tools that it may not call, whatever it holds.
    #[serde(default)]
    pub denied_tools: Option<Vec<String>>,
    /// How much it may do, in place of all limits of before.
    #[serde(default)]
    pub limits: Option<AgentLimits>,
    /// The provider of its model; `null` for none.
    #[serde(default, deserialize_with = "said")]
    pub provider: Option<Option<String>>,
    /// Its model; `null` for none.
    #[serde(default, deserialize_with = "said")]
    pub model: Option<Option<String>>,
    /// What it is told before everything else.
    #[serde(default)]
    pub instructions: Option<String>,
}

/// Tells `null` from what is not there.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
