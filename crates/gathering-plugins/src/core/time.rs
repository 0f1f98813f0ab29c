//! How long what a tool runs may take, and what is said when that is over.

use std::time::{Duration, Instant};

use gathering_core::CallContext;

/// It is stopped by so much, or half of what is left, before the call's own deadline, so that nothing is left of it when the call ends, and what is
/// known of it is told.
const BEFORE_DEADLINE: Duration = Duration::from_millis(300);

/// How long something may run, and what says so.
pub(super) struct Time {
    pub(super) until: Instant,
    limit: Duration,
    bound: Bound,
}

/// What bounds the time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// The argument of the tool.
    Argument,
    /// The setting of the operator.
    Setting,
    /// The deadline of the call.
    Call,
}

impl Time {
    /// The least of what the argument `timeout` asks for, the operator allows, and the call has left.
    pub(super) fn of(most: u64, timeout: f64, cx: &CallContext, now: Instant) -> Self {
        let most = Duration::from_secs(most);
        let asked = Duration::try_from_secs_f64(timeout).unwrap_or(most);
        let left = cx.deadline().saturating_duration_since(now);
        let call = left - BEFORE_DEADLINE.min(left / 2);
        let bounds = [(asked, Bound::Argument), (most, Bound::Setting), (call, Bound::Call)];
        let (limit, bound) = bounds.into_iter().min_by_key(|(limit, _)| *limit).expect("there are three");
        Self { until: now + limit, limit, bound }
    }

    /// What is said of `what` when its time is over.
    pub(super) fn is_over(&self, what: &str, most: u64) -> String {
        let stopped = "and was stopped, with all that it had started";
        match self.bound {
            Bound::Argument => format!(
                "{what} did not end within {:?} {stopped}: give it a longer `timeout` (at most {most} s), or do less in one \
                 call",
                self.limit
            ),
            Bound::Setting => format!(
                "{what} did not end within {most} s, the longest that the operator allows (`max_timeout_seconds` of the \
                 plugin `core`), {stopped}: do less in one call"
            ),
            Bound::Call => format!(
                "{what} did not end within the {:.1} s that were left to the call {stopped}: let the call itself have more \
                 time, or do less in one",
                self.limit.as_secs_f64()
            ),
        }
    }
}
