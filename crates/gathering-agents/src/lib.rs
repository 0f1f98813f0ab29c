//! The agents of GatheRing: what each holds, how much it may do, the token it is known by, and how one talks with it.
//!
//! An agent is data. What it may call is decided by the gate of a [`Host`](gathering_host::Host), which reads the
//! [`AgentRights`](gathering_core::AgentRights) that travel with every call; [`Agents`] makes those rights, keeps the agents
//! over a restart, and knows whose a token is. [`Chats`] lets a model talk with somebody as an agent.

mod agents;
mod asking;
mod chat;
mod check;
mod error;
mod info;
mod known;
mod path;
mod request;
mod spending;

pub use agents::Agents;
pub use asking::CountedModels;
pub use chat::{ChatError, ChatEvent, ChatLimits, Chats, ConversationInfo, FullConversation, NewMessage};
pub use error::AgentError;
pub use info::{AgentInfo, NewToken};
pub use path::{LearningPath, Step};
pub use request::{AgentChange, CompetencyGrant, NewAgent};
pub use spending::{may_spend, spend};
