//! When to ask again: exponential back-off with jitter, never before the provider wants, never beyond the deadline.

use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::ModelError;

/// How often a request is repeated.
const MOST: u32 = 5;
/// The wait before the first repetition, which doubles each time.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait of our own choice.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait before asking again after `repeated` repetitions; `None` if that does not help or would be too late.
pub(crate) fn wait(error: &ModelError, repeated: u32, deadline: Instant, jitter: f64) -> Option<Duration> {
    if !error.passes() || repeated >= MOST {
        return None;
    }
    // Half of it at least, so that waits grow, and the rest by chance, so that those who failed together do not come back
    // together.
    let own = FIRST.saturating_mul(1 << repeated).min(LONGEST).mul_f64(0.5 + jitter / 2.0);
    let wait = error.retry_after().map_or(own, |wanted| wanted.max(own.min(Duration::from_secs(1))));
    (Instant::now() + wait < deadline).then_some(wait)
}

/// A number from 0 to 1 by chance; a half where there is no chance.
pub(crate) fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

/// What `Retry-After` says (RFC 9110, section 10.2.3): seconds or a date. `retry-after-ms`, which OpenAI sends beside it, is
/// more exact.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str, unit: f64| {
        let number: f64 = text(name)?.parse().ok()?;
        Duration::try_from_secs_f64(number * unit).ok()
    };
    let date = || {
        let date = httpdate::parse_http_date(text(RETRY_AFTER.as_str())?).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    };
    number("retry-after-ms", 0.001).or_else(|| number(RETRY_AFTER.as_str(), 1.0)).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(retry_after: Option<u64>) -> ModelError {
        let retry_after = retry_after.map(Duration::from_secs);
        ModelError::RateLimited { model: "m".into(), said: String::new(), retry_after }
    }

    #[test]
    fn waits_double_and_end() {
        let far = Instant::now() + Duration::from_secs(3600);
        let waits: Vec<_> = (0..6).map(|repeated| wait(&limited(None), repeated, far, 1.0)).collect();

        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(waits, [seconds(0.5), seconds(1.0), seconds(2.0), seconds(4.0), seconds(8.0), None]);
        assert_eq!(wait(&limited(None), 0, far, 0.0), seconds(0.25));
    }

    #[test]
    fn what_the_provider_wants_is_kept_to_unless_the_deadline_comes_before() {
        let soon = Instant::now() + Duration::from_secs(10);

        assert_eq!(wait(&limited(Some(7)), 0, soon, 0.5), Some(Duration::from_secs(7)));
        assert_eq!(wait(&limited(Some(11)), 0, soon, 0.5), None);
        assert_eq!(wait(&ModelError::NoModel, 0, soon, 0.5), None);
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_understood() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        let read = |name: &'static str, value: &str| {
            let value = value.parse().expect("a header");
            retry_after(&HeaderMap::from_iter([(name.parse().expect("a name"), value)]), now)
        };

        assert_eq!(read("retry-after", "20"), Some(Duration::from_secs(20)));
        assert_eq!(read("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("retry-after", "-1"), None);
        assert_eq!(read("retry-after", "soon"), None);
    }
}
