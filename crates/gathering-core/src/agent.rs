//! Agents: what is kept of one over a restart, and the rights that travel with its calls.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{AgentId, CompetencyId, CompetencyLevel, NameError, ToolName};

/// A competency that an agent holds, and how well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldCompetency {
    /// The competency.
    pub id: CompetencyId,
    /// How well it is held.
    #[serde(default)]
    pub level: CompetencyLevel,
}

/// Written `git` or `git:advanced`, as a requirement is.
impl std::str::FromStr for HeldCompetency {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (id, level) = match text.split_once(':') {
            Some((id, level)) => (id, level.into()),
            None => (text, CompetencyLevel::default()),
        };
        Ok(Self { id: CompetencyId::new(id)?, level })
    }
}

/// Which of the tools that its competencies open to it an agent may call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRules {
    /// Only these; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<ToolName>>,
    /// None of these, whatever is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<ToolName>,
}

impl ToolRules {
    /// Whether they let `tool` be called. As in the registry, case makes no difference.
    pub fn permit(&self, tool: &ToolName) -> bool {
        let has = |names: &[ToolName]| names.iter().any(|n| n.as_str().eq_ignore_ascii_case(tool.as_str()));
        self.allowed.as_deref().is_none_or(has) && !has(&self.denied)
    }
}

/// How much an agent may do. What is not said is not limited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentLimits {
    /// How many calls it may make in a minute, those that tools make for it among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// How long one call may take, in seconds; never longer than the host allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_seconds: Option<f64>,
    /// How many tokens its models may read and write in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// What its models may cost in a day, in the currency of their prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_day: Option<f64>,
}

/// A limit that was come to. Shown as what it lets an agent do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateLimit {
    /// [`AgentLimits::calls_per_minute`].
    CallsPerMinute(u32),
    /// [`AgentLimits::tokens_per_day`].
    TokensPerDay(u64),
    /// [`AgentLimits::cost_per_day`].
    CostPerDay(f64),
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallsPerMinute(calls) => write!(f, "may make {calls} calls a minute and has made them"),
            Self::TokensPerDay(tokens) => {
                write!(f, "may use {tokens} tokens of models a day and has used them")
            }
            Self::CostPerDay(cost) => write!(f, "may spend {cost} a day on models and has spent it"),
        }
    }
}

/// An agent as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// The agent.
    pub id: AgentId,
    /// Its name for people.
    pub name: String,
    /// The SHA-256 of its token in hexadecimal digits. The token itself is kept nowhere.
    pub token_sha256: String,
    /// What it holds.
    #[serde(default)]
    pub competencies: Vec<HeldCompetency>,
    /// Which tools it may call.
    #[serde(default)]
    pub tools: ToolRules,
    /// How much it may do.
    #[serde(default)]
    pub limits: AgentLimits,
    /// The provider of the model that talks as the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that talks as the agent; the default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the model is told before everything else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// The agent whose rights bound its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<AgentId>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// Whether it was deleted. That is kept, so that nobody else gets its id and what was its own, and so that a server
    /// which has had agents goes on asking everybody for a token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl AgentRecord {
    /// What is left of an agent that was deleted.
    pub fn deleted(id: AgentId) -> Self {
        Self {
            name: id.to_string(),
            id,
            token_sha256: String::new(),
            competencies: Vec::new(),
            tools: ToolRules::default(),
            limits: AgentLimits::default(),
            provider: None,
            model: None,
            instructions: String::new(),
            parent: None,
            created_ms: 0,
            deleted: true,
        }
    }
}

/// What an agent may do, as it was when its call began. Only [`AgentRights::withdraw`] changes it.
#[derive(Debug)]
pub struct AgentRights {
    /// The agent.
    pub id: AgentId,
    /// What it holds.
    pub competencies: Vec<HeldCompetency>,
    /// Which tools it may call.
    pub tools: ToolRules,
    /// How much it may do.
    pub limits: AgentLimits,
    /// What it has done; the same one as long as the agent is there.
    pub usage: Arc<AgentUsage>,
    /// The rights of the agent that it belongs to, which bound these.
    pub parent: Option<Arc<AgentRights>>,
    /// Shared with what [`AgentRights::bounded_by`] makes of them.
    withdrawn: Arc<AtomicBool>,
}

impl AgentRights {
    /// The rights of an agent that holds this and is bound by nothing else.
    pub fn new(id: AgentId, competencies: Vec<HeldCompetency>) -> Self {
        Self {
            id,
            competencies,
            tools: ToolRules::default(),
            limits: AgentLimits::default(),
            usage: Arc::default(),
            parent: None,
            withdrawn: Arc::default(),
        }
    }

    /// The rights of the agent that is kept as `record`.
    pub fn of(record: &AgentRecord, usage: Arc<AgentUsage>, parent: Option<Arc<AgentRights>>) -> Self {
        Self {
            tools: record.tools.clone(),
            limits: record.limits.clone(),
            usage,
            parent,
            ..Self::new(record.id.clone(), record.competencies.clone())
        }
    }

    /// Takes them back: whoever still carries them may call nothing more with them.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
    }

    /// Whether they were taken back.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::Acquire)
    }

    /// These rights, bounded by `bound` too.
    pub(crate) fn bounded_by(&self, bound: &Arc<AgentRights>) -> Arc<AgentRights> {
        let parent = self.parent.as_ref().map_or_else(|| bound.clone(), |parent| parent.bounded_by(bound));
        Arc::new(Self {
            id: self.id.clone(),
            competencies: self.competencies.clone(),
            tools: self.tools.clone(),
            limits: self.limits.clone(),
            usage: self.usage.clone(),
            parent: Some(parent),
            withdrawn: self.withdrawn.clone(),
        })
    }

    /// Whether these are the rights of the agent `id`, or bounded by them.
    pub fn are_within(&self, id: &AgentId) -> bool {
        self.lineage().any(|rights| rights.id == *id)
    }

    /// These rights and those that bound them, the agent's own first.
    pub fn lineage(&self) -> impl Iterator<Item = &AgentRights> {
        std::iter::successors(Some(self), |rights| rights.parent.as_deref())
    }
}

/// What an agent has done lately.
#[derive(Debug, Default)]
pub struct AgentUsage {
    calls: Window,
    tokens: Window,
    cost: Window,
}

/// How much of something is left.
#[derive(Debug, Default)]
struct Window(Mutex<Option<Left>>);

#[derive(Debug, Clone, Copy)]
struct Left {
    /// Grows with time; below 0 if more was taken than was there.
    left: f64,
    counted: Instant,
}

const MINUTE: f64 = 60.0;
const DAY: f64 = 24.0 * 60.0 * 60.0;

impl AgentUsage {
    /// Counts one call, or says how long to wait until one is free. A minute's calls may be made at once; then they become
    /// free one by one.
    pub fn count(&self, per_minute: u32, now: Instant) -> Result<(), Duration> {
        self.calls.take(f64::from(per_minute.max(1)), MINUTE, 1.0, 1.0, now)
    }

    /// Counts tokens that a model has read and written. Refuses, and counts nothing, if none was left; more than were left
    /// are counted, and missing from what becomes free next.
    pub fn count_tokens(&self, per_day: u64, tokens: u64, now: Instant) -> Result<(), Duration> {
        self.tokens.take(per_day.max(1) as f64, DAY, 1.0, tokens as f64, now)
    }

    /// The same for what a model has cost.
    pub fn count_cost(&self, per_day: f64, cost: f64, now: Instant) -> Result<(), Duration> {
        self.cost.take(per_day, DAY, per_day / 1e6, cost, now)
    }
}

impl Window {
    /// Takes `amount` if at least `least` is there of the `most` that become free in `seconds`; else says how long to wait
    /// for `least`.
    fn take(&self, most: f64, seconds: f64, least: f64, amount: f64, now: Instant) -> Result<(), Duration> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = window.map_or(most, |window| {
            let since = now.saturating_duration_since(window.counted).as_secs_f64();
            (window.left + since * most / seconds).min(most)
        });
        let is_there = left >= least;
        *window = Some(Left { left: if is_there { left - amount } else { left }, counted: now });
        if is_there {
            return Ok(());
        }
        let wait = (least - left) * seconds / most;
        Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_calls_may_be_made_at_once_and_then_become_free_one_by_one() {
        let (usage, start) = (AgentUsage::default(), Instant::now());

        assert!((0..3).all(|_| usage.count(3, start).is_ok()));
        assert_eq!(usage.count(3, start), Err(Duration::from_secs(20)));
        assert!(usage.count(3, start + Duration::from_secs(19)).is_err());
        assert!(usage.count(3, start + Duration::from_secs(21)).is_ok());
        assert!(usage.count(3, start + Duration::from_secs(22)).is_err());
    }

    #[test]
    fn what_a_model_took_is_counted_whole_and_the_next_waits_until_something_is_free() {
        let (usage, start) = (AgentUsage::default(), Instant::now());

        assert!(usage.count_tokens(86_400, 100_000, start).is_ok(), "all of the day's were left");
        assert_eq!(usage.count_tokens(86_400, 1, start), Err(Duration::from_secs(13_601)));
        assert!(usage.count_tokens(86_400, 1, start + Duration::from_secs(13_602)).is_ok());
        assert!(usage.count_cost(2.0, 2.5, start).is_ok());
        assert!(usage.count_cost(2.0, 0.0, start + Duration::from_secs(6 * 60 * 60 - 1)).is_err());
        assert!(usage.count_cost(2.0, 0.0, start + Duration::from_secs(6 * 60 * 60 + 1)).is_ok());
    }

    #[test]
    fn what_is_denied_goes_before_what_is_allowed_and_case_makes_no_difference() {
        let name = |text: &str| ToolName::new(text).expect("a name");
        let rules = ToolRules { allowed: Some(vec![name("add"), name("echo")]), denied: vec![name("Echo")] };

        assert!(rules.permit(&name("ADD")));
        assert!(!rules.permit(&name("echo")) && !rules.permit(&name("other")));
        assert!(ToolRules::default().permit(&name("other")));
    }

    #[test]
    fn a_held_competency_is_written_as_a_requirement_is() {
        let held: HeldCompetency = "git:advanced".parse().expect("one");

        assert_eq!((held.id.as_str(), held.level), ("git", CompetencyLevel::Advanced));
        assert_eq!("git".parse::<HeldCompetency>().expect("one").level, CompetencyLevel::Intermediate);
        assert!(":advanced".parse::<HeldCompetency>().is_err());
    }
}
