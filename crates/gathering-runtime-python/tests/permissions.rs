//! What a plugin file asks to touch, and the variables and secrets that its workers are told.

mod support;

use std::sync::Arc;

use gathering_core::{Permissions, SecretError, Secrets};
use gathering_host::Host;
use serde_json::json;
use support::PythonHost;

/// The secret `API_KEY`, and no other.
struct OneSecret;

impl Secrets for OneSecret {
    fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        Ok((name == "API_KEY").then(|| "sk-0123456789".to_owned()))
    }
}

fn words(words: &[&str]) -> Permissions {
    Permissions::from_words(words).expect("good permissions")
}

const ASKING: &str = r#"# /// script
# [tool.gathering.permissions]
# secrets = ["API_KEY"]
# environment = ["CARGO_MANIFEST_DIR"]
# ///
import os
from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins import Plugin, PluginMetadata

AT_IMPORT = os.environ.get("API_KEY", "none")


class ThePlugin(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(
            id="asking", name="asking", version="1.0.0", description="asks",
            permissions={"network": ["api.example.com"]},
        )

    def register_tools(self):
        def look(name: str):
            print("looking at", os.environ.get(name), flush=True)
            started = open("/proc/self/environ").read()
            return {"value": os.environ.get(name), "length": len(AT_IMPORT), "at_start": AT_IMPORT in started}

        def kill():
            os._exit(3)

        return [
            ToolDefinition(name="look", description="looks", category=ToolCategory.TESTING, function=look,
                           parameters={"name": {"type": "string"}}),
            ToolDefinition(name="kill", description="ends", category=ToolCategory.TESTING, function=kill),
        ]
"#;

async fn asking() -> PythonHost {
    let host = PythonHost::on(Host::builder().secrets(Arc::new(OneSecret)), |_| {});
    host.write("asking.py", ASKING);
    host.discover(Some(&host.plugins())).await.expect("it is found");
    host
}

#[tokio::test]
async fn what_the_file_asks_for_is_what_its_metadata_and_its_block_say() {
    let host = asking().await;
    let expected = words(&["network=api.example.com", "env=CARGO_MANIFEST_DIR", "secret=API_KEY"]);

    assert_eq!(host.permissions("asking").await.expect("known").asked, expected);
    host.enable_known("asking").await;
    assert_eq!(host.permissions("asking").await.expect("known").asked, expected);
}

#[tokio::test]
async fn a_variable_and_a_secret_are_seen_only_when_they_are_granted() {
    let host = asking().await;
    host.enable_known("asking").await;
    let look = async |name: &str| host.call("look", json!({"name": name})).await.expect("it looks");
    assert_eq!(look("API_KEY").await["value"], json!(null));
    assert_eq!(look("CARGO_MANIFEST_DIR").await["value"], json!(null));

    host.grant("asking", words(&["secret=API_KEY", "env=CARGO_MANIFEST_DIR"])).await.expect("granted");

    assert_eq!(look("CARGO_MANIFEST_DIR").await["value"], json!(env!("CARGO_MANIFEST_DIR")));
    let looked = look("API_KEY").await;
    assert_eq!(looked, json!({"value": "***", "length": 13, "at_start": false}), "it was there at import");
    host.call("kill", json!({})).await.expect_err("it ends its worker");
    assert_eq!(look("API_KEY").await, looked, "the worker in its place is told too");
}

#[tokio::test]
async fn no_secret_stands_in_the_log() {
    let host = asking().await;
    host.grant("asking", words(&["secret=API_KEY"])).await.expect("granted");
    host.enable_known("asking").await;

    host.call("look", json!({"name": "API_KEY"})).await.expect("it looks");
    host.unload("asking", false).await.expect("it can be unloaded");

    assert_eq!(host.log("asking"), "looking at ***\n");
}

#[tokio::test]
async fn a_file_that_asks_for_what_nobody_can_grant_is_refused_with_the_reason() {
    let host = PythonHost::new();
    host.write("bad.py", &ASKING.replace("[\"api.example.com\"]", "[\"https://api.example.com\"]"));

    let found = host.discover(Some(&host.plugins())).await.expect("it looks");

    let message = &found.errors[0].message;
    assert!(
        message.contains("invalid permissions: the host `https://api.example.com` cannot be taken"),
        "{message}"
    );
}
