//! Durations in the configuration: a number of seconds, or a number with its unit.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

/// Longer ones are slips, such as milliseconds written as seconds.
const LONGEST: f64 = 365.0 * 24.0 * 3600.0;

pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Seconds)
}

struct Seconds;

impl Visitor<'_> for Seconds {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds, or a text such as `30s`, `500ms`, `2m`, `1h` or `30d`")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        if (0.0..=LONGEST).contains(&seconds) {
            Ok(Duration::from_secs_f64(seconds))
        } else {
            Err(E::custom(format!("a duration of {seconds} seconds is not between 0 and a year")))
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let factor = match unit {
            "ms" => 0.001,
            "s" | "" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 24.0 * 3600.0,
            _ => return Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        };
        match number.trim().parse::<f64>() {
            Ok(number) => self.visit_f64(number * factor),
            Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    #[test]
    fn a_duration_is_a_number_of_seconds_or_has_a_unit() {
        let parse = |text: &'static str| {
            let from: StrDeserializer<'_, Error> = text.into_deserializer();
            deserialize(from).map_err(|error| error.to_string())
        };

        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("500 ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("-1s"), Err("a duration of -1 seconds is not between 0 and a year".into()));
        assert!(parse("NaN").is_err() && parse("soon").is_err() && parse("").is_err());
    }
}
