//! Finds secrets in texts and values, and puts `***` in their place.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What stands in the place of a secret.
const MASK: &str = "***";
/// The shortest line of a secret of several lines that is looked for by itself.
const MIN_LINE: usize = 12;

/// The texts to look for.
#[derive(Default)]
pub(super) struct Redactor {
    values: Vec<String>,
    patterns: Vec<String>,
}

impl Redactor {
    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub(super) fn knows(&self, value: &str) -> bool {
        self.values.iter().any(|known| known == value)
    }

    /// This, and `value` too: as it is, as JSON and Python write it, and each of its longer lines, because logs are
    /// written line by line.
    pub(super) fn with(&self, value: &str) -> Self {
        let mut values = self.values.clone();
        values.push(value.to_owned());
        let mut patterns = self.patterns.clone();
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE);
        for form in [value, value.trim()].into_iter().chain(lines) {
            let escaped = Value::from(form).to_string();
            let escaped = &escaped[1..escaped.len() - 1];
            let python = form.replace('\\', r"\\").replace('\n', r"\n").replace('\'', r"\'");
            for pattern in [form, escaped, &python] {
                if !pattern.is_empty() && !patterns.iter().any(|known| known == pattern) {
                    patterns.push(pattern.to_owned());
                }
            }
        }
        Self { values, patterns }
    }

    /// Where secrets are in `text`, in order and apart from each other.
    fn found(&self, text: &str) -> Vec<(usize, usize)> {
        let mut found: Vec<_> = self
            .patterns
            .iter()
            .flat_map(|pattern| text.match_indices(pattern.as_str()))
            .map(|(start, matched)| (start, start + matched.len()))
            .collect();
        found.sort_unstable();
        found.dedup_by(|next, before| {
            let overlaps = next.0 < before.1;
            if overlaps {
                before.1 = before.1.max(next.1);
            }
            overlaps
        });
        found
    }

    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.found(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for (start, stop) in found {
            redacted.push_str(&text[end..start]);
            redacted.push_str(MASK);
            end = stop;
        }
        redacted.push_str(&text[end..]);
        Cow::Owned(redacted)
    }

    pub(super) fn owned(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.text(text) {
            *text = redacted;
        }
    }

    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.owned(text),
            Value::Number(number) if self.patterns.contains(&number.to_string()) => *value = MASK.into(),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => self.map(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    pub(super) fn map(&self, map: &mut Map<String, Value>) {
        map.values_mut().for_each(|value| self.value(value));
        if map.keys().any(|key| !self.found(key).is_empty()) {
            let entries = std::mem::take(map);
            map.extend(entries.into_iter().map(|(key, value)| (self.text(&key).into_owned(), value)));
        }
    }
}
