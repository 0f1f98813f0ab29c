//! What the models of an agent may use and cost, counted by whoever runs them.

use std::time::{Duration, Instant};

use gathering_core::{AgentRights, RateLimit, ToolError};

/// Says whether the limits of an agent, and of those whose rights bound its own, leave anything to spend on a model: asked
/// before each request. Refuses with [`ToolError::RateLimited`].
pub fn may_spend(rights: &AgentRights) -> Result<(), ToolError> {
    spend(rights, 0, 0.0)
}

/// Counts the tokens that a model has read and written for an agent, and what they cost, in the currency of its prices, against
/// the limits of the agent and of those whose rights bound its own.
///
/// What was used is counted whole, also where less was left: it is missing from what becomes free next. Where nothing was left
/// it is [`ToolError::RateLimited`]. Counted is since the start of this process; a day's worth may be spent at once, then it
/// becomes free again bit by bit.
pub fn spend(rights: &AgentRights, tokens: u64, cost: f64) -> Result<(), ToolError> {
    let now = Instant::now();
    let mut outcome = Ok(());
    for rights in rights.lineage() {
        let usage = &rights.usage;
        let refused = |limit| {
            move |retry_after: Duration| ToolError::RateLimited {
                agent: rights.id.clone(),
                limit,
                retry_after,
            }
        };
        if let Some(per_day) = rights.limits.tokens_per_day {
            let counted = usage.count_tokens(per_day, tokens, now);
            outcome = outcome.and(counted.map_err(refused(RateLimit::TokensPerDay(per_day))));
        }
        if let Some(per_day) = rights.limits.cost_per_day {
            let counted = usage.count_cost(per_day, cost, now);
            outcome = outcome.and(counted.map_err(refused(RateLimit::CostPerDay(per_day))));
        }
    }
    outcome
}
