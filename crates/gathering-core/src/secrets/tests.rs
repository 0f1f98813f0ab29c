//! Secrets are told to whom they are granted, and nothing that holds one leaves unmasked.

use std::collections::HashMap;
use std::sync::Mutex;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{ArgumentError, LoadErrorKind, ToolName};

#[derive(Default)]
struct Kept(Mutex<HashMap<String, String>>);

impl Secrets for Kept {
    fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }
}

fn secrets(kept: &[(&str, &str)], granted: &[&str]) -> (Arc<Kept>, PluginSecrets) {
    let source = Arc::new(Kept::default());
    source.0.lock().unwrap().extend(kept.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    let names = granted.iter().map(ToString::to_string).collect();
    (source.clone(), PluginSecrets::new(Some(source), names))
}

#[test]
fn a_plugin_is_told_what_it_is_granted_and_what_there_is() {
    let (_, secrets) = secrets(&[("KEY", "sk-12345"), ("OTHER", "sk-67890")], &["KEY", "MISSING"]);

    assert_eq!(secrets.all(), Ok(vec![("KEY".to_owned(), "sk-12345".to_owned())]));
    assert_eq!(secrets.get("OTHER"), Ok(None));
    assert_eq!(secrets.redact_text("sk-12345 sk-67890"), "*** sk-67890");
    assert_eq!(format!("{secrets:?}"), r#"PluginSecrets { names: ["KEY", "MISSING"], .. }"#);
}

#[test]
fn nothing_is_masked_before_it_was_handed_over_and_old_values_stay_masked() {
    let (source, secrets) = secrets(&[("KEY", "first-value")], &["KEY"]);
    assert_eq!(secrets.redact_text("first-value"), "first-value");

    secrets.all().unwrap();
    source.0.lock().unwrap().insert("KEY".into(), "second-value".into());
    secrets.all().unwrap();

    assert_eq!(secrets.redact_text("first-value second-value"), "*** ***");
}

#[test]
fn results_errors_health_and_logs_are_masked_wherever_the_secret_is_in_them() {
    let (_, secrets) = secrets(&[("KEY", "pa\"ss\nword"), ("PIN", "12345678")], &["KEY", "PIN"]);
    secrets.all().unwrap();

    let mut outcome = Ok(ToolOutput {
        value: json!({"a": ["x pa\"ss\nword y", 12_345_678, 1], "pa\"ss\nword": null}),
        parts: vec![
            Content::Text { text: "12345678".into() },
            Content::Json { value: json!("{\"k\": \"pa\\\"ss\\nword\"}") },
        ],
    });
    secrets.redact_outcome(&mut outcome);
    let output = outcome.unwrap();
    assert_eq!(output.value, json!({"a": ["x *** y", "***", 1], "***": null}));
    assert_eq!(output.parts[0], Content::Text { text: "***".into() });
    assert_eq!(output.parts[1], Content::Json { value: json!("{\"k\": \"***\"}") });

    let tool = ToolName::new("t").unwrap();
    let mut failed = Err(ToolError::Failed {
        tool: tool.clone(),
        message: "E: 12345678".into(),
        traceback: "'12345678'".into(),
    });
    secrets.redact_outcome(&mut failed);
    assert_eq!(
        failed,
        Err(ToolError::Failed { tool: tool.clone(), message: "E: ***".into(), traceback: "'***'".into() })
    );
    let errors = vec![ArgumentError { pointer: "/12345678".into(), message: "12345678 is bad".into() }];
    let mut invalid = Err(ToolError::InvalidResult { tool, errors });
    secrets.redact_outcome(&mut invalid);
    assert!(!invalid.unwrap_err().to_string().contains("12345678"));

    let error = secrets.redact_load_error(LoadError::new(LoadErrorKind::InvalidPlugin, "12345678"));
    assert_eq!(error.message, "***");
    assert_eq!(secrets.redact_log(b"\xff 12345678\n".to_vec()), "\u{fffd} ***\n".as_bytes());
    assert_eq!(secrets.redact_log(b"\xff nothing\n".to_vec()), b"\xff nothing\n");
}

#[test]
fn a_secret_of_several_lines_is_masked_in_a_log_line_by_line() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n-----END KEY-----\n";
    let (_, secrets) = secrets(&[("KEY", key)], &["KEY"]);
    secrets.all().unwrap();

    assert_eq!(secrets.redact_log(b"read MIIEvQIBADANBgkq\n".to_vec()), b"read ***\n");
    assert_eq!(secrets.redact_text(&format!("{:?}", key.trim())), "\"***\"");
}

#[test]
fn secrets_that_could_not_be_told_or_hidden_are_refused() {
    for (name, value, reason) in [
        ("KEY", "short", "could not be hidden from results"),
        ("KEY", "null\0null", "null byte"),
        ("a-b", "sk-12345", "`a-b` is no name of a secret"),
    ] {
        let error = check_secret(name, value).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains(value), "{error}");
    }
    assert!(check_secret("KEY", &"x".repeat(MAX_SECRET + 1)).is_err());
}

proptest! {
    #[test]
    fn no_secret_is_left_in_any_text(
        values in proptest::collection::vec("[ab\"é\n]{6,9}", 1..4), around in "[ab\"é\n ]{0,12}", order in any::<bool>(),
    ) {
        let names: Vec<_> = (0..values.len()).map(|number| format!("S{number}")).collect();
        let kept: Vec<_> = names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
        let granted: Vec<_> = names.iter().map(String::as_str).collect();
        let (_, secrets) = secrets(&kept, &granted);
        secrets.all().unwrap();
        let mut text = format!("{around}{}", values.concat());
        if order {
            text = format!("{}{around}", values.concat());
        }

        let redacted = secrets.redact_text(&text).into_owned();

        for value in &values {
            prop_assert!(!redacted.contains(value), "{redacted:?} holds {value:?}");
        }
    }
}
