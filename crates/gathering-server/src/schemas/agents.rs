//! The shapes of agents.

use serde::Serialize;
use utoipa::ToSchema;

use super::shapes;

/// A competency to grant.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum CompetencyGrant {
    /// `git`, or `git:advanced`.
    Short(String),
    /// With its level apart.
    Long(LongGrant),
}

shapes! {
    /// A competency to grant, with its level apart.
    struct LongGrant {
        /// The competency.
        id: String,
        /// How well it is held then. Default: `intermediate`.
        #[schema(required = false)]
        level: String,
    }

    /// A competency that an agent holds.
    struct HeldCompetency {
        /// The competency.
        id: String,
        /// How well it is held.
        level: String,
    }

    /// How much an agent may do. What is not said is not limited.
    struct AgentLimits {
        /// How many calls it may make in a minute, those that tools make for it among them.
        #[schema(required = false, minimum = 1)]
        calls_per_minute: u32,
        /// How long one call may take, in seconds; never longer than the server allows.
        #[schema(required = false, exclusive_minimum = 0)]
        call_seconds: f64,
        /// How many tokens its models may read and write in a day.
        #[schema(required = false, minimum = 1)]
        tokens_per_day: u64,
        /// What its models may cost in a day, in the currency of their prices.
        #[schema(required = false, exclusive_minimum = 0)]
        cost_per_day: f64,
    }

    /// An agent to be made.
    struct NewAgent {
        /// Its name for people. Its id is made of it.
        #[schema(example = "Data Analyst")]
        name: String,
        /// What it holds. Default: nothing.
        #[schema(required = false)]
        competencies: Vec<CompetencyGrant>,
        /// The only tools that it may call. Default: all that its competencies open to it.
        #[schema(required = false)]
        allowed_tools: Option<Vec<String>>,
        /// Tools that it may not call, whatever it holds.
        #[schema(required = false)]
        denied_tools: Vec<String>,
        /// How much it may do.
        #[schema(required = false)]
        limits: AgentLimits,
        /// The provider of the model that talks as the agent.
        #[schema(required = false)]
        provider: Option<String>,
        /// The model that talks as the agent. Default: the default of the server.
        #[schema(required = false)]
        model: Option<String>,
        /// What the model is told before everything else.
        #[schema(required = false)]
        instructions: String,
        /// The agent whose rights bound its own.
        #[schema(required = false)]
        parent: Option<String>,
    }

    /// What is to be changed of an agent.
    struct AgentChange {
        /// Its name for people.
        #[schema(required = false)]
        name: String,
        /// The only tools that it may call; null: all that its competencies open to it.
        #[schema(required = false)]
        allowed_tools: Option<Vec<String>>,
        /// Tools that it may not call, whatever it holds.
        #[schema(required = false)]
        denied_tools: Vec<String>,
        /// How much it may do, in place of all limits of before.
        #[schema(required = false)]
        limits: AgentLimits,
        /// The provider of its model; null for none.
        #[schema(required = false)]
        provider: Option<String>,
        /// Its model; null for none.
        #[schema(required = false)]
        model: Option<String>,
        /// What it is told before everything else.
        #[schema(required = false)]
        instructions: String,
    }

    /// Agents.
    struct AgentList {
        /// The agents.
        agents: Vec<Agent>,
        /// How many there are.
        total: usize,
    }

    /// What lies between an agent and a competency.
    struct AgentLearningPath {
        /// The agent.
        agent_id: String,
        /// Where it leads.
        competency_id: String,
        /// Whether the agent holds it, by itself or through one that builds on it.
        held: bool,
        /// Prerequisites first, the competency last.
        steps: Vec<LearningStep>,
        /// What grants it; not there if it is held.
        #[schema(required = false)]
        grant_command: String,
    }

    /// A competency on the way.
    struct LearningStep {
        /// The competency.
        competency_id: String,
        /// Whether the agent holds it, by itself or through one that builds on it.
        held: bool,
        /// The tools that it may call with it and the steps before, and may not call without it.
        gains: Vec<String>,
    }
}

/// An agent. One shown alone has these members and more, so it is open to others.
#[derive(Serialize, ToSchema)]
pub(crate) struct Agent {
    /// What it is called by.
    id: String,
    /// Its name for people.
    name: String,
    /// What it holds.
    competencies: Vec<HeldCompetency>,
    /// The only tools that it may call; null: all that its competencies open to it.
    #[schema(required)]
    allowed_tools: Option<Vec<String>>,
    /// Tools that it may not call, whatever it holds.
    denied_tools: Vec<String>,
    /// How much it may do.
    limits: AgentLimits,
    /// The provider of its model.
    #[schema(required)]
    provider: Option<String>,
    /// Its model.
    #[schema(required)]
    model: Option<String>,
    /// What it is told before everything else.
    instructions: String,
    /// The agent whose rights bound its own.
    #[schema(required)]
    parent: Option<String>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    created_ms: u64,
}

/// An agent and what it may call.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgentDetails {
    #[serde(flatten)]
    agent: Agent,
    /// The names of the tools that it may call.
    tools: Vec<String>,
    /// What it is known by. There only when it has just been made; nobody can be told it later.
    #[schema(required = false, nullable = false)]
    token: Option<String>,
}
