//! Plugin files that are made of code hold exactly what they were made of, whatever that is.

use std::fs;
use std::path::Path;
use std::process::Command;

use gathering_core::{DynamicPlugin, DynamicTool, Permissions};
use gathering_runtime_python::{Examined, ExaminedTool, plugin_file};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Imports each file `<n>.py` in a folder as a worker does, and compares what it holds with `<n>.json`.
const CHECK: &str = r#"
import inspect, json, os, sys
from gathering._worker import loading

folder = sys.argv[1]
for name in sorted(os.listdir(folder)):
    if not name.endswith(".json"):
        continue
    path = os.path.join(folder, name[:-5] + ".py")
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        expected = json.load(file)
    module = loading.import_plugin(path, [])
    plugin = loading.instantiate(loading.plugin_class(module), {})
    (tool,) = plugin.register_tools()
    found = {
        "code": module.TELL_CODE,
        "source": inspect.getsource(tool.function),
        "result": tool.function(),
        "metadata": loading.as_data(plugin.metadata),
        "scanned": loading.scan(path)["metadata"],
        "tool": loading.as_data(tool),
        "config": plugin.config,
        "doc": inspect.getdoc(module),
    }
    for key, value in expected.items():
        if found[key] != value:
            sys.exit(f"{path}: {key}\nexpected {value!r}\n     got {found[key]!r}")
print("same")
"#;

/// Texts that are hard to quote, more often than not.
fn texts() -> impl Strategy<Value = String> {
    let hard = prop_oneof![
        Just("\"".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("'''".to_owned()),
        Just("\\".to_owned()),
        Just("\\N{x}".to_owned()),
        Just("{0}%s".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\t".to_owned()),
        Just("\n# /// script\n".to_owned()),
        Just("\n# coding: latin-1\n".to_owned()),
        Just("\u{0}\u{1}\u{7f}\u{85}\u{2028}\u{feff}".to_owned()),
        Just("\u{202e}e\u{301}\u{1f600}\u{ffff}\u{10ffff}".to_owned()),
        ".{0,5}",
        "[a-z ]{0,8}",
    ];
    prop::collection::vec(hard, 0..8).prop_map(|parts| parts.concat())
}

/// The text without what ends a comment or a literal in `'''`.
fn within_code(text: &str, forbidden: &[char]) -> String {
    text.chars().filter(|character| !forbidden.contains(character)).collect()
}

fn case(texts: &[String]) -> (DynamicPlugin, Examined, Value) {
    let [name, description, comment, doc, value, end] = texts else { panic!("six texts") };
    let filled = |text: &str| if text.trim().is_empty() { "x".to_owned() } else { text.to_owned() };
    let (name, description) = (filled(name), filled(description));
    // Escaped beyond ASCII, by another rule than the file's.
    let literal: String = serde_json::to_string(value)
        .expect("a text")
        .chars()
        .map(|character| match u32::from(character) {
            number @ 0x7f.. => format!("\\U{number:08x}"),
            _ => character.to_string(),
        })
        .collect();
    let comment = within_code(comment, &['\n', '\r', '\0']);
    let doc = within_code(doc, &['\'', '\\', '\r', '\0']);
    let end = within_code(end, &['\n', '\r', '\0']);
    let function = format!("def tell(value={literal}):\n    '''{doc}'''\n    return [value, TEXT]\n");
    let code = format!("# {comment}\nTEXT = {literal}\n{function}\n# {end}");
    let parameters =
        json!({"type": "object", "properties": {"value": {"default": value, "description": description}}});
    let tool = DynamicTool {
        name: "tell".parse().expect("a name"),
        description: description.clone(),
        category: description.as_str().into(),
        code: code.clone(),
        parameters: None,
        returns: None,
        examples: vec![value.as_str().into(), json!({"x": [value, 1.5, null, true]})],
        required_competencies: Vec::new(),
    };
    let plugin = DynamicPlugin {
        plugin_id: "p".parse().expect("an id"),
        name: name.clone(),
        description: description.clone(),
        version: "1.0.0".into(),
        author: value.clone(),
        code: None,
        tools: vec![tool.clone()],
        competencies: Vec::new(),
        config: json!({value.as_str(): [value]}).as_object().cloned(),
        config_schema: None,
        python_dependencies: Vec::new(),
        permissions: Permissions::default(),
    };
    let examined = Examined {
        tools: vec![ExaminedTool {
            name: tool.name.clone(),
            function: "tell".into(),
            description: description.clone(),
            parameters: parameters.clone(),
            returns: json!({}),
            calls: Vec::new(),
        }],
        documentation: String::new(),
    };
    let metadata = json!({
        "id": "p", "name": name, "version": "1.0.0", "description": description, "author": value, "author_email": "",
        "license": "MIT", "homepage": "", "tags": [], "dependencies": [], "python_dependencies": [],
        "min_gathering_version": "0.1.0", "config_schema": {}, "permissions": {},
    });
    let expected = json!({
        "code": code,
        "source": function,
        "result": [value, value],
        "metadata": metadata,
        "scanned": metadata,
        "tool": {
            "name": "tell", "description": description, "category": description, "required_competencies": [],
            "parameters": parameters, "returns": {}, "examples": tool.examples, "async_function": false,
            "requires_context": false,
        },
        "config": plugin.config,
    });
    (plugin, examined, expected)
}

fn python(sdk: &Path, script: &str, folder: &Path) -> std::io::Result<std::process::Output> {
    Command::new("python3").args(["-W", "error", "-c", script]).arg(folder).env("PYTHONPATH", sdk).output()
}

#[test]
fn whatever_the_texts_hold_python_reads_the_same_from_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(texts(), 6);
    for number in 0..300 {
        let texts = strategy.new_tree(&mut runner).expect("texts").current();
        let (plugin, examined, expected) = case(&texts);
        let file = plugin_file(&plugin, &examined);
        assert_eq!(file, plugin_file(&plugin, &examined), "it is the same for the same request");
        assert!(!file.lines().any(|line| line.starts_with("# ///")), "{file}");
        fs::write(folder.path().join(format!("{number}.py")), file).expect("written");
        fs::write(folder.path().join(format!("{number}.json")), expected.to_string()).expect("written");
    }
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python");

    let output = match python(&sdk, CHECK, folder.path()) {
        Ok(output) => output,
        Err(error) => return println!("NOT RUN: there is no python3: {error}"),
    };

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "same\n", "{said}");
}
