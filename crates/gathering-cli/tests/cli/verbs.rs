//! Every verb does the same on a server as on the data directory itself.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

#[test]
fn every_verb_works_without_a_server() {
    let sandbox = Sandbox::new();

    every_verb(&sandbox);
}

#[test]
fn every_verb_works_on_the_server_that_holds_the_data_directory() {
    let sandbox = Sandbox::new();
    let _server = sandbox.serve(&[]);

    every_verb(&sandbox);
}

#[test]
fn every_verb_works_on_a_server_that_wants_its_token() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("gathering.toml"), "[server]\nrequire_token = true")
        .expect("it can be written");
    let server = sandbox.serve(&[]);

    assert!(server.get("/tools").starts_with("HTTP/1.1 401"), "it wants its token");
    every_verb(&sandbox);
}

/// Tries each verb with what is built in.
fn every_verb(sandbox: &Sandbox) {
    let plugins = sandbox.json(&["plugins", "list"]);
    assert_eq!(plugins["plugins"][0]["id"], "core");
    assert_eq!(sandbox.json(&["plugins", "list", "--status", "error"])["total"], 0);
    let available = sandbox.ok(&["plugins", "available"]);
    assert!(available.starts_with("core\n") && available.contains("documents\n"), "{available}");
    assert_eq!(sandbox.json(&["files", "list"])["total"], 0);
    let listed = sandbox.ok(&["plugins", "list"]);
    let heading: Vec<_> = listed.lines().next().unwrap_or_default().split_whitespace().take(5).collect();
    assert_eq!(heading, ["PLUGIN", "STATUS", "VERSION", "RUNTIME", "TOOLS"]);
    assert_eq!(sandbox.json(&["plugins", "info", "core"])["status"], "enabled");
    assert!(sandbox.ok(&["plugins", "info", "core"]).contains("Essential tools"));
    assert_eq!(sandbox.json(&["plugins", "discover"])["discovered"], json!([]));
    assert_eq!(sandbox.json(&["plugins", "health"])["plugins"]["core"]["status"], "healthy");
    assert!(sandbox.ok(&["plugins", "health", "core"]).contains("healthy"));
    assert_eq!(sandbox.ok(&["plugins", "logs", "core"]), "");
    assert_eq!(sandbox.json(&["plugins", "stats"])["enabled_plugins"], 1);

    let tools = sandbox.json(&["tools", "search", "DO", "some", "arithmetic", "--limit", "1"]);
    assert_eq!((&tools["tools"][0]["name"], &tools["limit"]), (&"calculate".into(), &1.into()));
    assert!(sandbox.ok(&["tools", "search", "xylophones"]).starts_with("no tool is about that"));
    assert!(sandbox.ok(&["tools", "list"]).contains("calculate"));
    let openai: Value =
        serde_json::from_str(&sandbox.ok(&["tools", "list", "--format", "openai"])).expect("JSON");
    assert_eq!(openai["tools"][0]["type"], "function");
    assert_eq!(sandbox.json(&["tools", "show", "calculate"])["plugin_id"], "core");
    assert!(sandbox.ok(&["tools", "show", "calculate"]).contains("\"expression\""));

    let competencies = sandbox.json(&["competencies", "list", "--category", "programming"]);
    assert!(competencies["total"].as_u64() > Some(0), "{competencies}");
    assert_eq!(
        sandbox.json(&["competencies", "show", "plugin_authoring"])["all_prerequisites"],
        json!(["python"])
    );
    assert_eq!(sandbox.ok(&["competencies", "path", "plugin_authoring"]), "1. python\n2. plugin_authoring\n");

    assert_eq!(sandbox.ok(&["execute", "calculate", "expression=6 * 7"]), "42\n");
    assert_eq!(sandbox.ok(&["execute", "calculate", "--json", "{\"expression\": \"6 * 7\"}"]), "42\n");
    assert_eq!(sandbox.ok(&["execute", "calculate", "--json-args", "{\"expression\": \"6 * 7\"}"]), "42\n");
    let answer = sandbox.json(&["execute", "calculate", "expression=6 * 7", "--timeout", "5"]);
    assert_eq!((&answer["result"], &answer["is_error"]), (&json!(42), &json!(false)));

    let action = |arguments: &[&str]| sandbox.json(arguments)["message"].as_str().map(str::to_owned);
    assert_eq!(action(&["plugins", "reload", "core"]).as_deref(), Some("Plugin 'core' reloaded"));
    assert_eq!(action(&["plugins", "disable", "core"]).as_deref(), Some("Plugin 'core' disabled"));
    let refused = sandbox.run(&["execute", "calculate", "expression=1"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert_eq!(
        refused.err,
        "error[plugin_disabled]: `calculate` belongs to the plugin `core`, which is disabled: enable it first\n"
    );
    assert_eq!(action(&["plugins", "enable", "core"]).as_deref(), Some("Plugin 'core' enabled"));
    assert_eq!(action(&["plugins", "unload", "core"]).as_deref(), Some("Plugin 'core' unloaded"));
    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.out.contains("ok       server"), "{doctor:?}");
}

#[test]
fn the_doctor_and_the_health_name_the_tier_and_whether_commands_can_write_their_folder() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let base = sandbox.path().canonicalize().expect("it is there").join("work");
    std::fs::create_dir(&base).expect("it can be made");
    for tier in ["isolated", "confined"] {
        let settings = format!(
            "[sandbox]\ntier = \"{tier}\"\n[plugins.config.core]\nbase_path = \"{}\"\n",
            base.display()
        );
        std::fs::write(sandbox.path().join("gathering.toml"), settings).expect("it can be written");
        let server = sandbox.serve(&[]);

        let doctor: Value = serde_json::from_str(&sandbox.run(&["doctor", "--json"]).out).expect("JSON");
        let findings = doctor["findings"].as_array().expect("a list");
        let found = |what| findings.iter().find(|found| found["what"] == what).expect("it is looked at");
        if found("confinement")["level"] == "problem" {
            println!("NOT RUN: the tier {tier} does not hold: {doctor}");
            continue;
        }
        let commands = found("commands");
        let message = commands["message"].as_str().expect("a text");
        assert!(message.starts_with(&format!("run {tier}; for them `{}`", base.display())), "{commands}");
        let written = message.ends_with("can be written");
        assert_eq!(written, tier == "isolated", "{commands}");
        let answer = server.get("/health");
        let (_, body) = answer.split_once("\r\n\r\n").expect("it has a body");
        let health: Value = serde_json::from_str(body).expect("JSON");
        let confinement = &health["confinement"];
        assert_eq!(confinement["tier"], tier);
        assert!(
            ["cgroup", "sampler"].iter().any(|held| confinement["tree_limits"] == *held),
            "{confinement}"
        );
        let missing = confinement["missing"].to_string();
        for part in ["names `confined`", "names, sizes and times"] {
            assert_eq!(missing.contains(part), tier == "confined", "{missing}");
        }
    }
}

#[test]
fn what_goes_wrong_is_told_to_people_and_to_scripts() {
    let sandbox = Sandbox::new();
    let _server = sandbox.serve(&[]);

    let unknown = sandbox.run(&["execute", "calculat", "expression=1"]);
    let unknown_json = sandbox.run(&["plugins", "info", "cor", "--json"]);
    let invalid = sandbox.run(&["execute", "calculate"]);
    let failed = sandbox.run(&["execute", "calculate", "expression=1 / 0"]);
    let failed_json = sandbox.run(&["execute", "calculate", "expression=1 / 0", "--json"]);

    assert_eq!(unknown.code, 4);
    assert_eq!(
        unknown.err,
        "error[unknown_tool]: there is no tool called `calculat`; did you mean `calculate`?\n  \
         `gathering tools list` shows the tools, and `gathering plugins list` what can be loaded\n"
    );
    assert_eq!((unknown_json.code, unknown_json.err.as_str()), (4, ""));
    let problem: Value = serde_json::from_str(&unknown_json.out).expect("JSON");
    assert_eq!(problem["code"], "unknown_plugin");
    assert_eq!(invalid.code, 2);
    assert!(invalid.err.contains("`expression` is required"), "{invalid:?}");
    assert_eq!(failed.code, 1);
    assert!(failed.err.starts_with("error[tool_error]: "), "{failed:?}");
    let answer: Value = serde_json::from_str(&failed_json.out).expect("JSON");
    assert_eq!((failed_json.code, &answer["is_error"]), (1, &json!(true)));
}

#[test]
fn two_verbs_at_once_wait_for_each_other() {
    let sandbox = Sandbox::new();
    let start = || {
        let mut command = sandbox.command(&["execute", "calculate", "expression=1"]);
        command.stdout(std::process::Stdio::null()).spawn().expect("it can be started")
    };

    let children: Vec<_> = (0..4).map(|_| start()).collect();

    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn the_events_of_a_server_can_be_followed() {
    let sandbox = Sandbox::new();
    let without = sandbox.run(&["events"]);
    let server = sandbox.serve(&[]);
    let events = sandbox
        .command(&["events", "--count", "2", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it can be started");

    // Whether it listens yet cannot be seen from here, so things happen until it has seen enough.
    let (done, is_done) = std::sync::mpsc::channel();
    let watcher = std::thread::spawn(move || done.send(events.wait_with_output().expect("it ends")));
    let output = loop {
        match is_done.try_recv() {
            Ok(output) => break output,
            Err(_) => sandbox.ok(&["execute", "calculate", "expression=1", "--server", &server.url]),
        };
    };

    watcher.join().expect("it ends").expect("somebody listens");
    let lines = String::from_utf8(output.stdout).expect("text");
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().all(|line| line.contains("\"event\":\"tool_called\"")), "{lines}");
    assert_eq!(without.code, 3);
}
