//! Plugins that are made of code, through the binary and through the documents' `curl`.

use std::process::Command;

use serde_json::Value;

use crate::sandbox::{Sandbox, Server};

/// The `curl` of the documents, word for word but for the port.
fn curl(server: &Server, command: &str) -> Value {
    let command = command.replace("http://localhost:8000", &server.url);
    let output =
        Command::new("bash").args(["-c", &format!("{command} --silent")]).output().expect("there is bash");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {output:?}"))
}

const CREATE: &str = r#"curl -X POST http://localhost:8000/plugins/dynamic \
  -H "Content-Type: application/json" \
  -d '{
    "plugin_id": "greeter",
    "name": "Greeter Plugin",
    "description": "A simple greeting plugin",
    "tools": [
      {
        "name": "greet",
        "description": "Greet someone",
        "category": "custom",
        "code": "def greet(name): return f\"Hello, {name}!\"",
        "parameters": {"name": {"type": "string"}}
      }
    ]
  }'"#;

#[test]
fn the_documents_curl_makes_a_greeter_that_greets_and_survives_kill_9() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let mut server = sandbox.serve(&[]);
    let greet = r#"curl -X POST http://localhost:8000/tools/greet/execute \
  -H "Content-Type: application/json" -d '{"arguments": {"name": "World"}}'"#;

    let made = curl(&server, CREATE);
    let greeting = curl(&server, greet);
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");
    let server = sandbox.serve(&[]);

    assert_eq!(
        (&made["id"], &made["status"], &made["tools_count"]),
        (&"greeter".into(), &"enabled".into(), &1.into())
    );
    assert_eq!(greeting["result"], "Hello, World!");
    assert_eq!(curl(&server, greet)["result"], "Hello, World!");
    let broken = curl(
        &server,
        &CREATE.replace("greeter", "other").replace("\"greet\"", "\"hi\"").replace("greet(name)", "hi(name"),
    );
    assert_eq!((&broken["status"], &broken["code"]), (&400.into(), &"invalid_code".into()), "{broken}");
    assert_eq!(broken["errors"][0]["pointer"], "/tools/0/code");
    let at = broken["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(at.starts_with("line 1, column "), "{broken}");
}

#[test]
fn a_file_of_functions_is_a_plugin_from_its_creation_to_its_end() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let file = |text: &str| std::fs::write(sandbox.path().join("words.py"), text).expect("it can be written");
    let code = "\"\"\"Tools for words.\"\"\"\n\n\ndef shout(word: str, marks: int = 1) -> str:\n    \"\"\"Shouts.\"\"\"\n    \
                return word.upper() + _marks(marks)\n\n\ndef count(text: str) -> int:\n    \"\"\"Counts words.\"\"\"\n    \
                return len(text.split())\n\n\ndef _marks(n):\n    return '!' * n\n";
    file(code);

    assert_eq!(
        sandbox.ok(&["plugins", "create", "--file", "words.py"]),
        "Plugin 'words' created\nTOOL   \nshout  Shouts.\ncount  Counts words.\n"
    );
    assert_eq!(sandbox.ok(&["execute", "shout", "word=hey", "marks=2"]), "HEY!!\n");
    assert_eq!(sandbox.json(&["plugins", "info", "words"])["description"], "Tools for words.");
    file("def shout(word");
    let broken = sandbox.run(&["plugins", "update", "--file", "words.py"]);
    assert!(
        broken.err.starts_with("error[invalid_code]: the code of the plugin, line 1, column "),
        "{broken:?}"
    );
    file(&code.replace("upper", "title"));
    sandbox.ok(&["plugins", "update", "--file", "words.py", "--version", "2.0.0"]);
    assert_eq!(sandbox.ok(&["execute", "shout", "word=hey"]), "Hey!\n");
    assert_eq!(sandbox.ok(&["plugins", "rollback", "words"]), "Plugin 'words' rolled back, to 1.0.0\n");
    assert_eq!(sandbox.ok(&["execute", "shout", "word=hey"]), "HEY!\n");
    assert_eq!(
        sandbox.ok(&["plugins", "versions", "words"]),
        "NUMBER  VERSION  BY        \n1       1.0.0    operator\n2       2.0.0    operator\n3       1.0.0    operator  current, as 1\n"
    );
    let saved = sandbox.data_dir().join("plugins/words.py");
    assert_eq!(
        sandbox.ok(&["plugins", "save", "words"]),
        format!("Plugin 'words' saved to {}\n", saved.display())
    );
    let again = sandbox.run(&["plugins", "save", "words"]);
    assert!(again.err.starts_with("error[file_exists]"), "{again:?}");
    let outside = sandbox.run(&["plugins", "save", "words", "--output", "./words.py"]);
    assert!(outside.err.contains("it must lie in a plugin folder"), "{outside:?}");
    assert_eq!(sandbox.ok(&["plugins", "remove", "words"]), "Plugin 'words' removed\n");
    sandbox.ok(&["plugins", "discover"]);
    sandbox.ok(&["plugins", "load", "words", "--enable"]);
    assert_eq!(sandbox.ok(&["execute", "count", "text=a b c"]), "3\n");
}

#[test]
fn a_request_may_be_in_a_file() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let request = r#"{"tools": [{"name": "one", "description": "Gives one", "code": "def one(): return 1",
                      "examples": ["one() == 2"]}]}"#;
    std::fs::write(sandbox.path().join("request.json"), request).expect("it can be written");

    let nameless = sandbox.run(&["plugins", "create", "--json-file", "request.json"]);
    let refused = sandbox.run(&["plugins", "create", "--json-file", "request.json", "--id", "ones"]);

    assert!(nameless.err.contains("`plugin_id` is missing (at /plugin_id)"), "{nameless:?}");
    assert!(
        refused.err.starts_with(
            "error[example_failed]: the example `one() == 2` of `one` failed: expected 2, got 1"
        ),
        "{refused:?}"
    );
}
