//! A schema and, on the lines after it, values: our compiled check says what the full validator says.
#![no_main]

use gathering_core::Schema;
use gathering_host::Check;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    let mut lines = text.split(|byte| *byte == b'\n');
    let Some(Ok(given)) = lines.next().map(serde_json::from_slice::<Value>) else { return };
    let _ = Schema::parameters(&given);
    let Ok(schema) = Schema::new(&given) else { return };
    let Ok(check) = Check::compile(&schema) else { return };
    let Ok(validator) = jsonschema::draft202012::new(&schema.to_value()) else { return };
    for value in lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
        assert_eq!(
            check.value(&value).is_ok(),
            validator.is_valid(&value),
            "{value} against {}",
            schema.as_str()
        );
        if let Value::Object(mut arguments) = value {
            let _ = check.arguments(&mut arguments);
        }
    }
});
