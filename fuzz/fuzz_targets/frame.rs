//! Lines that a worker could send: none makes the parser panic, and a result is what serde_json reads.
#![no_main]

use gathering_core::json;
use gathering_runtime_python::frame::{self, Frame};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|line: &[u8]| {
    let parsed = frame::parse(line);
    let whole: Option<Value> = serde_json::from_slice(line).ok();
    match parsed {
        Ok(Frame::Result { id, text }) => {
            // The parser does not look into the result's text; a frame whose text is no JSON is refused after it.
            if let (Ok(result), Some(Value::Object(whole))) = (json::parse(text), whole)
                && whole.len() == 3
            {
                assert_eq!((&whole["id"], &whole["result"]), (&id.into(), &result));
            }
        }
        Ok(Frame::Error { refusal, .. }) => {
            assert!(refusal.code.len() <= 4 * 64 + 3 && refusal.errors.len() <= 20);
        }
        Ok(Frame::Request { params, .. }) => {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(params).is_ok());
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
});
