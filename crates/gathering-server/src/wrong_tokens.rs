//! How many wrong tokens are answered one by one before whoever sends them is told to wait.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many may come at once.
const AT_ONCE: u32 = 60;
/// After this time one more may.
const EACH: Duration = Duration::from_secs(1);

/// Counts the wrong tokens of all callers together: a token is guessed from many addresses as well as from one.
#[derive(Debug)]
pub(crate) struct WrongTokens(Mutex<Left>);

#[derive(Debug)]
struct Left {
    count: u32,
    /// When one was added last.
    since: Instant,
}

impl WrongTokens {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(Left { count: AT_ONCE, since: now }))
    }

    /// Counts one that came `now`; whether it was one too many.
    pub(crate) fn is_one_too_many(&self, now: Instant) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(left.since).as_millis() / EACH.as_millis();
        let added = u32::try_from(passed).unwrap_or(u32::MAX).min(AT_ONCE);
        if added > 0 {
            left.since = now;
            left.count = (left.count + added).min(AT_ONCE);
        }
        if left.count == 0 {
            return true;
        }
        left.count -= 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_at_once_and_then_one_each_second() {
        let start = Instant::now();
        let wrong = WrongTokens::new(start);

        let at_once = (0..200).filter(|_| !wrong.is_one_too_many(start)).count();
        let a_second_later = (0..200).filter(|_| !wrong.is_one_too_many(start + EACH)).count();
        let much_later = (0..200).filter(|_| !wrong.is_one_too_many(start + EACH * 1_000_000)).count();

        assert_eq!((at_once, a_second_later, much_later), (60, 1, 60));
    }
}
