//! Whether what was printed is what the page shows, where `...` stands for anything.

use serde_json::Value;

const ANYTHING: &str = "...";

/// Compares JSON by value. `"..."` is any value, and a key `"..."` allows more keys.
pub(super) fn json(shown: &str, printed: &str) -> Result<(), String> {
    let shown = parse_json(shown)?;
    let printed = parse_json(printed).map_err(|error| format!("what was printed is no JSON: {error}"))?;
    same(&shown, &printed, "")
}

/// Compares line by line. A line of `...` is any number of lines, and `...` in a line any text.
pub(super) fn text(shown: &str, printed: &str) -> Result<(), String> {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    if lines_fit(&shown, &printed) {
        Ok(())
    } else {
        Err("another text was printed than is shown here".into())
    }
}

/// JSON for people: the error says where.
pub(super) fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn same(shown: &Value, printed: &Value, at: &str) -> Result<(), String> {
    match (shown, printed) {
        (Value::String(text), _) if text == ANYTHING => Ok(()),
        (Value::String(shown), Value::String(printed)) if line_fits(shown, printed) => Ok(()),
        (Value::Array(shown), Value::Array(printed)) => {
            let open = shown.last().is_some_and(|last| last == ANYTHING);
            let shown = if open { &shown[..shown.len() - 1] } else { shown };
            if printed.len() < shown.len() || printed.len() > shown.len() && !open {
                return Err(format!("`{at}` has {} items, {} are shown", printed.len(), shown.len()));
            }
            shown.iter().zip(printed).enumerate().try_for_each(|(i, (s, p))| same(s, p, &format!("{at}/{i}")))
        }
        (Value::Object(shown), Value::Object(printed)) => {
            for (key, value) in shown.iter().filter(|(key, _)| *key != ANYTHING) {
                let found = printed.get(key).ok_or_else(|| format!("`{at}/{key}` was not printed"))?;
                same(value, found, &format!("{at}/{key}"))?;
            }
            match printed.keys().find(|key| !shown.contains_key(*key)) {
                Some(key) if !shown.contains_key(ANYTHING) => Err(format!("`{at}/{key}` is not shown")),
                _ => Ok(()),
            }
        }
        (shown, printed) if shown == printed => Ok(()),
        (shown, printed) => Err(format!("`{at}` is {printed}, but {shown} is shown")),
    }
}

fn lines_fit(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], []) => true,
        ([first, rest @ ..], _) if first.trim() == ANYTHING => {
            (0..=printed.len()).any(|skipped| lines_fit(rest, &printed[skipped..]))
        }
        ([first, rest @ ..], [line, more @ ..]) => line_fits(first, line) && lines_fit(rest, more),
        _ => false,
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compared_by_value() {
        let printed = r#"{"a": [1, {"b": "x-17"}], "id": 9}"#;

        for shown in [
            r#"{"id": 9, "a": [1, {"b": "x-17"}]}"#,
            r#"{"id": "...", "a": [1, {"b": "x-..."}]}"#,
            r#"{"a": [1, "..."], "...": "..."}"#,
        ] {
            assert_eq!(json(shown, printed), Ok(()), "{shown}");
        }
        for (shown, error) in [
            (r#"{"id": 9}"#, "`/a` is not shown"),
            (r#"{"id": 8, "a": "..."}"#, "`/id` is 9, but 8 is shown"),
            (r#"{"id": 9, "a": [1]}"#, "`/a` has 2 items, 1 are shown"),
            (r#"{"id": 9, "a": "...", "c": 1}"#, "`/c` was not printed"),
        ] {
            assert_eq!(json(shown, printed), Err(error.to_owned()));
        }
    }

    #[test]
    fn text_is_compared_by_line() {
        assert_eq!(text("a ... c\n...\nz", "a b c\nd\ne\nz"), Ok(()));
        assert_eq!(text("a\n...", "a"), Ok(()));
        assert!(text("a", "a\nb").is_err());
        assert!(text("a...b...", "a c d").is_err());
    }
}
