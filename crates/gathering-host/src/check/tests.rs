//! What compiled schemas take and refuse, beside the full validator as the judge.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn compile(schema: Value) -> Check {
    Check::compile(&Schema::parameters(&schema).expect("a schema")).expect("compiles")
}

fn refusal(schema: Value) -> SchemaError {
    Check::compile(&Schema::parameters(&schema).expect("a schema")).expect_err("must be refused")
}

fn arguments(check: &Check, arguments: Value) -> Result<Value, Vec<String>> {
    let Value::Object(mut map) = arguments else { panic!("arguments are an object") };
    match check.arguments(&mut map) {
        Ok(()) => Ok(map.into()),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn arguments_that_fit_pass_and_get_their_defaults() {
    let check = compile(json!({
        "prompt": {"type": "string"},
        "width": {"type": "integer", "default": 512},
        "style": {"type": "object", "properties": {"mood": {"type": "string", "default": "calm"}}, "default": {}},
    }));

    let filled = arguments(&check, json!({"prompt": "a sunset"}));

    assert_eq!(filled, Ok(json!({"prompt": "a sunset", "width": 512, "style": {"mood": "calm"}})));
}

#[test]
fn every_argument_that_does_not_fit_is_named() {
    let check = compile(json!({"x": {"type": "integer"}, "y": {"type": "integer"}}));

    let errors = arguments(&check, json!({"x": "5", "z": 1})).unwrap_err();

    assert_eq!(
        errors,
        [
            "`x` must be an integer, not the string \"5\" (at /x)",
            "`z` is not expected here; what is: `x`, `y` (at /z)",
            "`y` is required (at (root))",
        ]
    );
}

#[test]
fn ranges_lengths_choices_and_items_are_checked_where_they_stand() {
    let check = compile(json!({"type": "object", "properties": {
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
        "unit": {"enum": ["km", "mi"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
    }}));

    let errors = arguments(&check, json!({"age": -1, "unit": "ft", "tags": ["ok", "long"]})).unwrap_err();

    assert_eq!(
        errors,
        [
            "`age` must be at least 0, not -1 (at /age)",
            "`unit` must be one of \"km\", \"mi\", not the string \"ft\" (at /unit)",
            "item 1 of `tags` must have at most 3 characters (at /tags/1)",
        ]
    );
}

#[test]
fn a_written_schema_takes_other_arguments_unless_it_says_no() {
    let open = compile(json!({"type": "object", "properties": {"x": {"type": "integer"}}}));
    let closed = compile(json!({"type": "object", "properties": {}, "additionalProperties": false}));

    assert!(arguments(&open, json!({"y": 1})).is_ok());
    assert_eq!(
        arguments(&closed, json!({"y": 1})).unwrap_err(),
        ["`y` is not expected here; what is: none (at /y)"]
    );
}

#[test]
fn a_whole_float_is_an_integer_and_large_integers_compare_exactly() {
    let check = compile(json!({"n": {"type": "integer", "maximum": 9_007_199_254_740_993_i64}}));

    assert!(arguments(&check, json!({"n": 3.0})).is_ok());
    assert!(arguments(&check, json!({"n": 3.5})).is_err());
    assert!(arguments(&check, json!({"n": 9_007_199_254_740_994_i64})).is_err());
}

#[test]
fn a_malformed_schema_is_refused_with_the_place_and_the_reason() {
    for (schema, message) in [
        (
            json!({"x": {"type": "strng"}}),
            "\"strng\" is not a type of JSON Schema: use null, boolean, integer, number, string, array, object (at /properties/x/type)",
        ),
        (json!({"type": "object", "required": "x"}), "`required` must be an array of names (at /required)"),
        (json!({"x": {"minimum": "1"}}), "`minimum` must be a number (at /properties/x/minimum)"),
        (
            json!({"x": {"type": "integer", "default": "one"}}),
            "the default does not fit its own schema: `x` must be an integer, not the string \"one\" (at /properties/x/default)",
        ),
        (json!({"x": {"items": 5}}), "a schema must be an object or a boolean (at /properties/x/items)"),
    ] {
        assert_eq!(refusal(schema).to_string(), message);
    }
}

#[test]
fn keywords_beyond_the_program_are_checked_by_the_full_validator() {
    let check = compile(json!({
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "size": {"anyOf": [{"type": "integer"}, {"const": "auto"}], "default": "auto"},
    }));

    assert_eq!(arguments(&check, json!({"code": "EUR"})), Ok(json!({"code": "EUR", "size": "auto"})));
    assert_eq!(
        arguments(&check, json!({"code": "eur"})).unwrap_err(),
        ["`code`: \"eur\" does not match \"^[A-Z]{3}$\" (at /code)"]
    );
    assert!(arguments(&check, json!({"code": "EUR", "size": "big"})).is_err());
}

#[test]
fn local_references_work_and_may_recurse_into_the_value() {
    let check = compile(json!({
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}},
    }));

    assert!(arguments(&check, json!({"children": [{"children": []}]})).is_ok());
    assert!(arguments(&check, json!({"children": [{"children": 5}]})).is_err());
}

#[test]
fn a_reference_never_leaves_the_schema_runs_in_circles_or_explodes() {
    let remote = refusal(json!({"x": {"$ref": "http://127.0.0.1:9/schema.json"}}));
    assert_eq!(
        remote.to_string(),
        "`http://127.0.0.1:9/schema.json` lies outside of the schema, and nothing is ever fetched: copy it into `$defs` (at /properties/x/$ref)"
    );
    assert!(refusal(json!({"x": {"$ref": "file:///etc/passwd"}})).reason.contains("nothing is ever fetched"));
    assert!(refusal(json!({"$ref": "#"})).reason.contains("without an end"));
    assert!(refusal(json!({"$ref": "#/$defs/missing"})).reason.contains("names nothing"));

    let mut definitions = Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        definitions.insert(format!("d{level}"), json!({"allOf": [next, next]}));
    }
    definitions.insert("d40".into(), json!({"type": "object"}));
    assert!(refusal(json!({"$ref": "#/$defs/d0", "$defs": definitions})).reason.contains("more than 10000"));
}

#[test]
fn patterns_are_linear_and_small() {
    for pattern in [r"^(a|aa)+(?!b)$", r"^(a*)*\1$", r"(?:a{1000}){1000}", r"\p{L}{2000}"] {
        let started = std::time::Instant::now();

        let error = refusal(json!({"x": {"type": "string", "pattern": pattern}}));

        assert!(error.reason.contains("linear time"), "{error}");
        assert!(
            started.elapsed() < std::time::Duration::from_secs(2),
            "{pattern} took {:?}",
            started.elapsed()
        );
    }
    let check = compile(json!({"x": {"type": "array", "items": {"pattern": "^(a+)+$"}}}));
    let strings: Vec<_> = std::iter::repeat_n("a".repeat(28) + "!", 1000).collect();
    let started = std::time::Instant::now();
    assert!(arguments(&check, json!({"x": strings})).is_err());
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "took {:?}", started.elapsed());
}

#[test]
fn two_hundred_thousand_arguments_are_refused_quickly() {
    let check = compile(json!({"x": {"type": "integer"}}));
    let many: Map<String, Value> = (0..200_000).map(|n| (format!("k{n}"), json!(n))).collect();
    let started = std::time::Instant::now();

    let errors = arguments(&check, many.into()).unwrap_err();

    assert!(errors.len() <= MAX_ERRORS + 1);
    assert!(started.elapsed() < std::time::Duration::from_secs(1));
}

/// JSON itself, as a value of another language.
#[repr(transparent)]
struct Foreign(Value);

impl Look for Foreign {
    type Inner = Self;

    fn see(&self) -> Seen<'_> {
        match &self.0 {
            Value::Null => Seen::Null,
            Value::Bool(flag) => Seen::Bool(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Seen::Integer(number),
                None => Seen::Float(number.as_f64().expect("a small number")),
            },
            Value::String(text) => Seen::Text(text),
            Value::Array(items) => Seen::Array(items.len()),
            Value::Object(map) => Seen::Object(map.len()),
        }
    }

    fn items(&self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        self.0.as_array().is_some_and(|items| items.iter().all(|item| holds(&Foreign(item.clone()))))
    }

    fn entries(&self, mut holds: impl FnMut(&str, &Self) -> bool) -> bool {
        self.0
            .as_object()
            .is_some_and(|map| map.iter().all(|(key, value)| holds(key, &Foreign(value.clone()))))
    }
}

#[test]
fn a_look_decides_what_most_calls_are_and_gives_the_defaults_that_are_missing() {
    let check = compile(json!({
        "x": {"type": "integer", "minimum": 1},
        "name": {"type": "string", "enum": ["a", "b"]},
        "items": {"type": "array", "items": {"type": "number"}, "default": []},
    }));
    let look = |value| check.look(&Foreign(value));

    assert_eq!(look(json!({"x": 1, "name": "a"})), Some(vec![("items", json!([]))]));
    assert_eq!(look(json!({"x": 2, "name": "b", "items": [1, 2.5]})), Some(vec![]));
    for refused in [
        json!({"x": 0, "name": "a"}),
        json!({"x": 1}),
        json!({"x": 1, "name": "c"}),
        json!({"x": 1, "name": "a", "y": 1}),
        json!({"x": 1, "name": "a", "items": ["1"]}),
    ] {
        assert_eq!(look(refused), None);
    }
    assert!(!check.takes_anything_as("x") && !check.takes_anything_as("y"));
}

fn small_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..4i64).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(2.0), Just(-1.5)].prop_map(Value::from),
        "[ab]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn small_schema() -> impl Strategy<Value = Value> {
    let types =
        prop::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"]);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        types.clone().prop_map(|t| json!({"type": t})),
        prop::collection::btree_set(types, 1..3).prop_map(|t| json!({"type": t})),
        prop::collection::vec(small_value(), 1..3).prop_map(|v| json!({"enum": v})),
        small_value().prop_map(|v| json!({"const": v})),
        (-2..3i64, -2..3i64).prop_map(|(a, b)| json!({"minimum": a, "exclusiveMaximum": b})),
        (0..3u64, 0..3u64)
            .prop_map(|(a, b)| json!({"minLength": a, "maxLength": b, "maxItems": b, "minItems": a})),
        (0..3u64, 0..3u64).prop_map(|(a, b)| json!({"minProperties": a, "maxProperties": b})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        (
            prop::collection::btree_map("[xyz]", inner.clone(), 0..3),
            prop::collection::btree_set("[xyz]", 0..2),
            prop::option::of(inner.clone()),
            prop::option::of(inner),
        )
            .prop_map(|(properties, required, others, items)| {
                let mut schema = json!({"properties": properties, "required": required});
                if let Some(others) = others {
                    schema["additionalProperties"] = others;
                }
                if let Some(items) = items {
                    schema["items"] = items;
                }
                schema
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_program_takes_what_the_full_validator_takes(schema in small_schema(), value in small_value()) {
        let judge = jsonschema::draft202012::new(&schema).expect("a schema");
        let check = Check::compile(&Schema::new(&schema).expect("a schema")).expect("compiles");

        prop_assert_eq!(check.value(&value).is_ok(), judge.is_valid(&value), "{} against {}", value, schema);
    }

    #[test]
    fn what_looks_well_is_well(schema in small_schema(), value in small_value()) {
        let check = Check::compile(&Schema::new(&schema).expect("a schema")).expect("compiles");

        if let (Value::Object(map), Some(missing)) = (&value, check.look(&Foreign(value.clone()))) {
            let mut arguments = map.clone();
            prop_assert!(missing.is_empty() && check.arguments(&mut arguments).is_ok(), "{} against {}", value, schema);
        }
    }

    #[test]
    fn no_schema_makes_the_compiler_panic(schema in small_value()) {
        if let Ok(schema) = Schema::parameters(&schema) {
            let _ = Check::compile(&schema);
        }
    }
}
