//! File handlers: how a file finds its own, and what happens where two plugins claim one format.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use gathering_core::PluginId;
use gathering_host::{Dependencies, Host};
use gathering_testkit::{FakePlugin, FakeRuntime, TestHost};
use serde_json::json;

async fn host(choice: Option<(&str, &str)>) -> TestHost {
    let handler = |name: &str, extensions: &[&str]| {
        json!({
            "name": name, "extensions": extensions, "media_types": [format!("text/{name}")],
            "tools": {"read": format!("read_{name}")},
        })
    };
    let runtime = Arc::new(FakeRuntime::default());
    let mut builder = Host::builder().runtime(runtime.clone());
    if let Some((extension, plugin)) = choice {
        builder = builder.file_handler(extension, plugin);
    }
    let host = TestHost { host: builder.build(), runtime, store: Arc::default() };
    let fake = |id: &str, name: &str, extensions: &[&str]| {
        FakePlugin::new(id).tool(&format!("read_{name}")).file_handler_with(handler(name, extensions))
    };
    host.load_fake(fake("tables", "csv", &["CSV", ".tsv"])).await.unwrap();
    host.load_fake(fake("archives", "packed", &["gz", "tar.gz", "*"])).await.unwrap();
    host.know(fake("other", "other_csv", &["csv", "Makefile"])).await;
    host
}

#[tokio::test]
async fn a_file_finds_its_handler_by_the_longest_ending_in_any_case() {
    let host = host(None).await;
    let snapshot = host.snapshot();

    let found = |path: &str| snapshot.file_handler_for(path).map(|handler| handler.name.to_string());

    assert_eq!(found("a/b.c/Sales.Csv").as_deref(), Some("csv"));
    assert_eq!(found("x.tar.gz").as_deref(), Some("packed"));
    assert_eq!(found("README").as_deref(), Some("packed"));
    assert_eq!(
        snapshot.file_handler_of(".TSV").map(|handler| handler.name.to_string()).as_deref(),
        Some("csv")
    );
    let by_type = snapshot.file_handler_of_type("Text/CSV; charset=utf-8");
    assert_eq!(by_type.map(|handler| handler.name.to_string()).as_deref(), Some("csv"));
}

#[tokio::test]
async fn two_plugins_that_claim_one_ending_are_refused_with_both_names() {
    let host = host(None).await;

    let error = host.load("other", None, Dependencies::MustBeLoaded).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the file name ending `csv` of the plugin `other` is already registered by the plugin `tables` (choose one of \
         them: `files.handlers.\"csv\" = \"tables\"` in gathering.toml); nothing of `other` was registered"
    );
    assert!(host.snapshot().file_handler_of("makefile").is_none());
}

#[tokio::test]
async fn the_operator_chooses_between_them() {
    let host = host(Some((".CSV", "other"))).await;

    host.load("other", None, Dependencies::MustBeLoaded).await.unwrap();

    let handler = host.snapshot().file_handler_for("a.csv").unwrap();
    assert_eq!(handler.plugin_id.as_ref().map(PluginId::as_str), Some("other"));
    assert_eq!(
        host.snapshot().file_handler_for("a.tsv").unwrap().plugin_id.as_ref().map(PluginId::as_str),
        Some("tables")
    );
}
