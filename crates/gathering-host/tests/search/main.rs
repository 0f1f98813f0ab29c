//! Searching tools finds what people mean, only what the caller may call, and what is registered at that moment.

use std::collections::BTreeMap;

use gathering_core::Caller;
use gathering_host::{Host, Tool};
use gathering_testkit::{FakePlugin, TestHost};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

fn tool(name: &str, description: &str) -> Value {
    json!({"name": name, "description": description, "category": "custom"})
}

fn found(host: &Host, caller: &Caller, query: &str) -> Vec<String> {
    let found = host.search(caller, query, 100, None);
    assert_eq!(found.total, found.tools.len(), "none was left out");
    found.tools.iter().map(|tool| tool.name.to_string()).collect()
}

#[tokio::test]
async fn a_tool_whose_name_is_asked_for_comes_first_however_it_is_written() {
    let host = TestHost::default();
    let plugin = FakePlugin::new("files")
        .tool_with(tool("read_files_and_more", "Read file, read file, read file"))
        .tool_with(tool("read_file", "Gives its text"));
    host.enable_fake(plugin).await;

    for query in ["read_file", "READ_FILE", "read file", " read_file "] {
        assert_eq!(found(&host, &Caller::Operator, query)[0], "read_file", "{query}");
    }
}

#[tokio::test]
async fn words_are_found_in_names_descriptions_tags_and_arguments_in_any_form() {
    let host = TestHost::default();
    let plugin = FakePlugin::new("pictures")
        .metadata(|metadata| metadata.tags = vec!["photography".to_owned()])
        .tool_with(json!({
            "name": "resizeImage", "description": "Scales to a width.", "category": "image",
            "parameters": {"thumbnail": {"type": "boolean", "description": "Whether it is for a gallery"}},
        }));
    host.enable_fake(plugin).await;
    host.enable_fake(FakePlugin::new("other").tool_with(tool("other", "Something else"))).await;

    for query in [
        "resizing",
        "images",
        "scale",
        "widths",
        "photography",
        "thumbnails",
        "galleries",
        "pictures",
        "resiz",
    ] {
        assert_eq!(found(&host, &Caller::Operator, query), ["resizeImage"], "{query}");
    }
    assert_eq!(found(&host, &Caller::Operator, "xylophone"), [""; 0]);
    assert_eq!(found(&host, &Caller::Operator, "  "), [""; 0]);
    assert_eq!(found(&host, &Caller::Operator, &"é".repeat(5_000)), [""; 0]);
}

#[tokio::test]
async fn only_what_the_caller_may_call_is_found_and_a_filter_narrows_it() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("skills").competency("git", &[])).await;
    let mut gated = tool("git_log", "Shows the history");
    gated["required_competencies"] = json!(["git"]);
    host.enable_fake(FakePlugin::new("git").tool_with(gated)).await;
    host.enable_fake(FakePlugin::new("shell").tool_with(tool("shell_history", "Shows the history"))).await;
    host.load_fake(FakePlugin::new("idle").tool_with(tool("idle_history", "Shows the history")))
        .await
        .expect("it loads");

    let nobody = TestHost::agent(&[]);
    assert_eq!(found(&host, &nobody, "history"), ["shell_history"]);
    assert!(!found(&host, &nobody, "git_log").contains(&"git_log".to_owned()));
    let holder = TestHost::agent(&["git"]);
    assert_eq!(found(&host, &holder, "history").len(), 2);
    assert_eq!(found(&host, &Caller::Operator, "history").len(), 3);

    let of_git = |tool: &Tool| tool.plugin().as_str() == "git";
    let narrowed = host.search(&holder, "history", 10, Some(&of_git));
    assert_eq!((narrowed.total, narrowed.tools[0].name.as_str()), (1, "git_log"));
    let page = host.search(&Caller::Operator, "history", 1, None);
    assert_eq!((page.total, page.tools.len()), (3, 1));
    let Caller::Agent(rights) = &holder else { panic!("an agent") };
    rights.withdraw();
    assert_eq!(found(&host, &holder, "history"), [""; 0]);
}

#[tokio::test]
async fn an_enabled_plugin_is_found_at_once_and_a_disabled_one_no_longer() {
    let host = TestHost::default();
    let agent = TestHost::agent(&[]);
    let id =
        host.load_fake(FakePlugin::new("late").tool_with(tool("late", "Arrives"))).await.expect("it loads");

    assert_eq!(found(&host, &agent, "late"), [""; 0]);
    host.enable(id.as_str()).await.expect("it is loaded");
    assert_eq!(found(&host, &agent, "late"), ["late"]);
    host.disable(id.as_str(), false).await.expect("it is enabled");
    assert_eq!(found(&host, &agent, "late"), [""; 0]);
}

const WORDS: [&str; 6] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However plugins came and went, a search answers as in a host that has only ever had those that are left.
    #[test]
    fn the_index_follows_what_is_loaded(
        steps in prop::collection::vec((0..5_usize, prop::collection::vec(0..WORDS.len(), 1..4), any::<bool>()), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let host = TestHost::default();
            let mut model: BTreeMap<usize, String> = BTreeMap::new();
            for (plugin, words, load) in steps {
                let id = format!("plugin{plugin}");
                if model.remove(&plugin).is_some() {
                    host.unload(&id, false).await.expect("it is loaded");
                }
                if load {
                    let text = words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
                    host.enable_fake(FakePlugin::new(&id).tool_with(tool(&format!("tool{plugin}"), &text))).await;
                    model.insert(plugin, text);
                }
                // Now and then, so that several changes are caught up with at once, too.
                if words.len() > 1 {
                    let fresh = TestHost::default();
                    for (plugin, text) in &model {
                        let fake = FakePlugin::new(&format!("plugin{plugin}"));
                        fresh.enable_fake(fake.tool_with(tool(&format!("tool{plugin}"), text))).await;
                    }
                    for word in WORDS {
                        let sorted = |host: &Host| {
                            let mut names = found(host, &Caller::Operator, word);
                            names.sort();
                            names
                        };
                        assert_eq!(sorted(&host), sorted(&fresh), "{word} in {model:?}");
                    }
                }
            }
        });
    }
}

/// A tool of a public server or package, described in our words.
#[derive(Deserialize)]
struct Known {
    plugin: String,
    name: String,
    description: String,
    arguments: BTreeMap<String, String>,
}

/// The requests were written as somebody would put them who does not know the tools' names.
#[tokio::test]
async fn nine_of_ten_plain_requests_find_their_tool_among_the_first_five() {
    let tools: Vec<Known> = serde_json::from_str(include_str!("tools.json")).expect("tools");
    let requests: Vec<(String, String)> =
        serde_json::from_str(include_str!("queries.json")).expect("requests");
    let host = TestHost::default();
    let mut plugins: BTreeMap<String, FakePlugin> = BTreeMap::new();
    for known in tools {
        let arguments = known.arguments.iter();
        let parameters: serde_json::Map<_, _> = arguments
            .map(|(name, text)| (name.clone(), json!({"type": "string", "description": text})))
            .collect();
        let plugin = plugins.remove(&known.plugin).unwrap_or_else(|| FakePlugin::new(&known.plugin));
        let plugin = plugin.tool_with(json!({
            "name": known.name, "description": known.description, "category": "custom",
            "parameters": {"type": "object", "properties": parameters},
        }));
        plugins.insert(known.plugin, plugin);
    }
    for plugin in plugins.into_values() {
        host.enable_fake(plugin).await;
    }

    let mut missed = Vec::new();
    for (request, wanted) in &requests {
        let found = host.search(&TestHost::agent(&[]), request, 5, None);
        if !found.tools.iter().any(|tool| tool.name == wanted.as_str()) {
            let found: Vec<_> = found.tools.iter().map(|tool| tool.name.as_str()).collect();
            missed.push(format!("{request}: not {wanted} but {}", found.join(", ")));
        }
    }

    let share = 100 - missed.len() * 100 / requests.len();
    assert!(share >= 90, "{share} % found; missed were:\n{}", missed.join("\n"));
}
