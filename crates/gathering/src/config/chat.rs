//! What talking with agents may take.

use std::time::Duration;

use gathering_agents::ChatLimits;
use serde::{Deserialize, Serialize};

use super::seconds;

/// What one message to an agent, and what follows from it, may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// How often the model is asked. Default: 30.
    pub steps: u32,
    /// How long it may take, as a number of seconds or a text such as `10m`. Default: 10 min.
    #[serde(with = "seconds")]
    pub time: Duration,
    /// How many tools the model is shown; an agent that may call more finds them by `search_tools`. Default: 40.
    pub tools: usize,
    /// How much of one result the model is shown, in bytes. Default: 64 KiB.
    pub result: usize,
}

impl Default for ChatConfig {
    fn default() -> Self {
        let ChatLimits { steps, time, tools, result } = ChatLimits::default();
        Self { steps, time, tools, result }
    }
}

impl From<&ChatConfig> for ChatLimits {
    fn from(config: &ChatConfig) -> Self {
        let ChatConfig { steps, time, tools, result } = *config;
        Self { steps, time, tools, result }
    }
}
