//! The life of plugins: loaded whole or not at all, ordered by need, reloaded without a lost call, back after a restart.

use std::sync::Arc;
use std::time::Duration;

use gathering_core::{Caller, Health, PluginStatus};
use gathering_host::{CallOptions, Dependencies, Host, Index, Limits, PluginError};
use gathering_testkit::{FakePlugin, TestHost, id};
use serde_json::{Map, json};

fn ids(texts: &[&str]) -> Vec<gathering_core::PluginId> {
    texts.iter().map(|text| id(text)).collect()
}

#[tokio::test]
async fn everything_of_a_plugin_is_registered_or_nothing() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("first").tool("echo")).await;
    let generation = host.snapshot().generation();

    let second = FakePlugin::new("second").competency("skill", &[]).tool("fail").tool("Echo");
    let error = host.load_fake(second).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the tool `Echo` of the plugin `second` is already registered as `echo` by the plugin `first`, \
         and case makes no difference; nothing of `second` was registered"
    );
    assert_eq!(host.tool_names(), ["echo"]);
    assert!(host.snapshot().competencies().is_empty());
    assert_eq!(host.runtime.running(), 1, "the refused plugin was stopped");
    assert!(host.snapshot().generation() > generation);
    assert_eq!(host.plugin("second").expect("it is known").status, PluginStatus::Error);
}

#[tokio::test]
async fn a_tool_with_a_malformed_schema_is_refused_with_the_reason() {
    let host = TestHost::default();
    let tool = json!({"name": "echo", "description": "e", "category": "custom", "parameters": {"x": {"type": "strng"}}});

    let error = host.load_fake(FakePlugin::new("p").tool_with(tool)).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the plugin `p` cannot be taken: invalid parameters of the tool `echo`: \"strng\" is not a type of JSON Schema: \
         use null, boolean, integer, number, string, array, object (at /properties/x/type)"
    );
}

#[tokio::test]
async fn a_disabled_plugin_refuses_every_call_until_it_is_enabled_again() {
    let host = TestHost::default();
    let plugin = host.enable_fake(FakePlugin::new("p").tool("echo")).await;

    host.disable(plugin.as_str(), false).await.expect("nobody needs it");

    let error = host.call("echo", json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "`echo` belongs to the plugin `p`, which is disabled: enable it first");
    host.enable(plugin.as_str()).await.expect("it can be enabled");
    assert_eq!(host.call("echo", json!({})).await, Ok(json!({})));
}

#[tokio::test]
async fn dependencies_are_loaded_first_in_the_versions_that_are_asked_for() {
    let host = TestHost::default();
    host.know(FakePlugin::new("app").needs(&["service>=1.5", "base"])).await;
    host.know(FakePlugin::new("service").version("1.6.0").needs(&["base^1.0"])).await;
    host.know(FakePlugin::new("base")).await;

    let strict = host.load("app", None, Dependencies::MustBeLoaded).await.unwrap_err();
    let order = host.load("app", None, Dependencies::LoadToo).await.expect("all are known");

    assert_eq!(
        strict.to_string(),
        "Plugin 'app' requires plugin 'service' which is not loaded. Load 'service' first."
    );
    assert_eq!(order, ids(&["base", "service", "app"]));
    assert_eq!(host.enable("app").await.expect("it can be"), ids(&["base", "service", "app"]));
}

#[tokio::test]
async fn a_missing_an_old_and_a_circular_dependency_are_named() {
    let host = TestHost::default();
    host.know(FakePlugin::new("a").needs(&["b"])).await;
    host.know(FakePlugin::new("b").needs(&["c"])).await;
    host.know(FakePlugin::new("c").needs(&["a"])).await;
    host.know(FakePlugin::new("lonely").needs(&["ghost>=2"])).await;
    host.know(FakePlugin::new("modern").needs(&["old>=2"])).await;
    host.know(FakePlugin::new("old").version("1.9")).await;
    let load = |id: &'static str| host.load(id, None, Dependencies::LoadToo);

    assert_eq!(load("a").await.unwrap_err().to_string(), "the dependencies form a cycle: a -> b -> c -> a");
    assert_eq!(
        load("lonely").await.unwrap_err().to_string(),
        "the plugin `lonely` requires `ghost>=2`, which is not known: put it into a plugin folder and discover it"
    );
    assert_eq!(
        load("modern").await.unwrap_err().to_string(),
        "the plugin `modern` requires `old>=2`, but `old` has version 1.9"
    );
    assert_eq!(host.runtime.running(), 0);
}

#[tokio::test]
async fn a_chain_of_two_thousand_dependencies_loads_in_order() {
    let host = TestHost::default();
    for n in 0..2000 {
        let plugin = FakePlugin::new(&format!("p{n}"));
        host.know(if n == 0 { plugin } else { plugin.needs(&[&format!("p{}", n - 1)]) }).await;
    }

    let order = host.load("p1999", None, Dependencies::LoadToo).await.expect("it loads");

    assert_eq!(order.len(), 2000);
    assert_eq!(order[0], "p0");
}

#[tokio::test]
async fn a_plugin_for_a_newer_gathering_is_refused() {
    let host = TestHost::default();
    let newer = FakePlugin::new("newer").metadata(|m| m.min_gathering_version = "99.0".into());
    let older = FakePlugin::new("older").metadata(|m| m.min_gathering_version = ">=0.4.0".into());

    let error = host.load_fake(newer).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        format!(
            "the plugin `newer` cannot be taken: it requires GatheRing 99.0, and this is {}",
            gathering_core::VERSION
        )
    );
    host.load_fake(older).await.expect("this version is new enough");
}

#[tokio::test]
async fn what_others_need_is_not_disabled_or_unloaded_alone() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("base").competency("skill", &[])).await;
    host.enable_fake(FakePlugin::new("mid").needs(&["base"])).await;
    host.enable_fake(FakePlugin::new("top").needs(&["mid"])).await;
    host.enable_fake(FakePlugin::new("skilled").competency("mastery", &["skill"])).await;

    let disable = host.disable("mid", false).await.unwrap_err();
    let unload = host.unload("base", false).await.unwrap_err();

    assert_eq!(disable.to_string(), "`mid` is needed by `top`: disable them first, or use cascade");
    assert!(
        matches!(unload, PluginError::HasDependents { ref dependents, .. } if dependents.len() == 3),
        "{unload}"
    );
    assert_eq!(host.disable("mid", true).await.expect("cascades"), ids(&["top", "mid"]));
    assert_eq!(host.unload("base", true).await.expect("cascades"), ids(&["top", "mid", "skilled", "base"]));
    assert_eq!(host.runtime.running(), 0);
}

#[tokio::test]
async fn the_configuration_is_checked_and_gets_its_defaults() {
    let host = TestHost::default();
    let schema = serde_json::from_value::<gathering_core::PluginMetadata>(json!({
        "id": "x", "name": "x", "version": "1", "description": "",
        "config_schema": {"key": {"type": "string"}, "size": {"type": "integer", "default": 3}},
    }))
    .expect("metadata")
    .config_schema;
    host.know(FakePlugin::new("p").metadata(|m| m.config_schema = schema)).await;

    let error = host.load("p", Some(json!({"size": "big"})), Dependencies::MustBeLoaded).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the configuration of `p` does not fit its schema: `size` must be an integer, not the string \"big\" (at /size); \
         `key` is required (at (root))"
    );
    assert_eq!(host.plugin("p").expect("known").status, PluginStatus::Unloaded, "its operator can mend that");
    host.load("p", Some(json!({"key": "k"})), Dependencies::MustBeLoaded).await.expect("it fits");
}

#[tokio::test]
async fn a_reload_takes_over_at_once_and_a_failed_one_changes_nothing() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("a").tool("echo")).await;
    host.enable_fake(FakePlugin::new("p").tool("version").tool("count")).await;
    host.enable_fake(FakePlugin::new("z").tool("fail")).await;

    host.runtime.put(FakePlugin::new("p").version("2.0.0").tool("count").tool("version").tool("wait"));
    host.reload("p", None).await.expect("it reloads");

    assert_eq!(host.call("version", json!({})).await, Ok(json!("2.0.0")));
    assert_eq!(
        host.tool_names(),
        ["echo", "version", "count", "fail", "wait"],
        "what stayed keeps its place"
    );
    for broken in [
        FakePlugin::new("p").fails_to_load("syntax error"),
        FakePlugin::new("p").health(Health::unhealthy("no database")),
        FakePlugin::new("p").fails_to_enable("no licence"),
        FakePlugin::new("p").tool("echo"),
    ] {
        host.runtime.put(broken);
        let error = host.reload("p", None).await.unwrap_err();
        assert_eq!(host.call("version", json!({})).await, Ok(json!("2.0.0")), "after {error}");
        assert_eq!(host.plugin("p").expect("known").error, Some(error.to_string()));
        assert_eq!(host.runtime.running(), 3, "after {error}");
    }
}

#[tokio::test]
async fn calls_in_flight_end_in_the_generation_they_began_in() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").concurrency(1).tool("sleep").tool("version")).await;
    let call = {
        let host = host.host.clone();
        let arguments = Map::from_iter([("seconds".to_owned(), json!(0.2))]);
        tokio::spawn(async move {
            host.execute(Caller::Operator, "sleep", arguments, CallOptions::default()).await
        })
    };
    let queued = {
        let host = host.host.clone();
        tokio::spawn(async move {
            host.execute(Caller::Operator, "version", Map::new(), CallOptions::default()).await
        })
    };
    tokio::task::yield_now().await;

    host.runtime.put(FakePlugin::new("p").version("2.0.0").concurrency(1).tool("sleep").tool("version"));
    host.reload("p", None).await.expect("it reloads");

    assert!(queued.await.expect("no panic").outcome.is_ok());
    assert!(call.await.expect("no panic").outcome.is_ok());
    assert_eq!(host.call("version", json!({})).await, Ok(json!("2.0.0")));
}

#[tokio::test]
async fn unloading_lets_calls_end_and_stops_those_that_take_too_long() {
    let host = TestHost::new(Limits { unload_grace: Duration::from_millis(50), ..Limits::default() });
    host.enable_fake(FakePlugin::new("p").tool("wait")).await;
    let call = {
        let host = host.host.clone();
        tokio::spawn(async move {
            host.execute(Caller::Operator, "wait", Map::new(), CallOptions::default()).await
        })
    };
    tokio::task::yield_now().await;

    host.unload("p", false).await.expect("it unloads");

    let error = call.await.expect("no panic").outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin `p` is in the state `unloaded`: it was unloaded while the call ran, and the call was stopped"
    );
    assert_eq!(host.runtime.running(), 0);
}

#[tokio::test]
async fn a_call_that_takes_longer_than_a_shutdown_is_told_of_the_shutdown() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").tool("wait")).await;
    let call = {
        let host = host.host.clone();
        tokio::spawn(async move {
            host.execute(Caller::Operator, "wait", Map::new(), CallOptions::default()).await
        })
    };
    tokio::task::yield_now().await;

    host.shutdown(Duration::ZERO).await;

    let error = call.await.expect("no panic").outcome.unwrap_err();
    assert_eq!(error.code(), "shutting_down", "{error}");
}

#[tokio::test]
async fn one_bad_health_check_does_not_spoil_the_others() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("well")).await;
    host.enable_fake(FakePlugin::new("ill").health(Health::unhealthy("no database"))).await;

    let health = host.health_all().await;

    let told: Vec<_> = health
        .iter()
        .map(|h| (h.plugin_id.as_str(), serde_json::to_value(h.status).expect("json")))
        .collect();
    assert_eq!(told, [("well", json!("healthy")), ("ill", json!("unhealthy"))]);
    assert_eq!(health[1].error.as_deref(), Some("no database"));
}

#[tokio::test]
async fn what_was_loaded_is_back_after_a_restart_and_starts_with_its_first_call() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("base").tool("echo").competency("skill", &[])).await;
    host.enable_fake(FakePlugin::new("top").tool("count").needs(&["base"])).await;
    host.load_fake(FakePlugin::new("tried").tool("fail")).await.expect("it loads");
    host.know(FakePlugin::new("known")).await;
    let loads = host.runtime.loads();

    let back = TestHost::over(host.runtime.clone(), host.store.clone(), Limits::default());
    let restored = back.restore().await.expect("the store can be read");

    assert_eq!(restored.registered, ids(&["base", "top", "tried"]));
    assert_eq!(restored.known, ids(&["known"]));
    assert_eq!(back.tool_names(), ["echo", "count", "fail"]);
    assert_eq!(back.runtime.loads(), loads, "nothing was started");
    assert!(!back.plugin("top").expect("known").started);
    assert_eq!(back.call("count", json!({})).await, Ok(json!(1)));
    assert!(back.plugin("top").expect("known").started);
    assert_eq!(back.plugin("tried").expect("known").status, PluginStatus::Loaded);
}

#[tokio::test]
async fn a_configuration_from_outside_goes_before_the_one_that_was_kept() {
    let host = TestHost::default();
    let needs_size = |metadata: &mut gathering_core::PluginMetadata| {
        let schema = json!({"size": {"type": "integer"}});
        metadata.config_schema = gathering_core::Schema::parameters(&schema).expect("a good schema");
    };
    host.know(FakePlugin::new("p").tool("echo").metadata(needs_size)).await;
    let configured = |size| {
        let builder = Host::builder().runtime(host.runtime.clone()).store(host.store.clone());
        builder.configure(&id("P"), json!({"size": size})).build()
    };

    let first = configured(json!(1));
    first.restore().await.expect("the store can be read");
    first.load("p", None, Dependencies::MustBeLoaded).await.expect("it is configured");
    let restored = configured(json!("large")).restore().await.expect("the store can be read");

    let reason = "the configuration of `p` does not fit its schema";
    assert!(restored.failed[0].1.starts_with(reason), "{restored:?}");
}

#[tokio::test]
async fn folders_from_outside_are_looked_in_and_not_kept() {
    let (given, added) = (std::env::temp_dir(), std::env::current_dir().expect("a folder"));
    let store = Arc::new(gathering_testkit::MemoryStore::default());
    let host = Host::builder().store(store.clone()).directory(given.clone()).build();
    host.add_directory(&added).await.expect("it can be kept");

    let back = Host::builder().store(store.clone()).directory(given.clone()).build();
    back.restore().await.expect("the store can be read");

    assert_eq!(back.directories(), [given, added.clone()]);
    assert_eq!(gathering_core::StateStore::directories(&*store), Ok(vec![added]));
}

#[tokio::test]
async fn a_plugin_that_changed_or_broke_while_nobody_looked_is_noticed_at_the_restart() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("changed").tool("version")).await;
    host.enable_fake(FakePlugin::new("broken").tool("echo")).await;
    host.runtime.put(FakePlugin::new("changed").version("2.0.0").tool("version").tool("count"));
    host.runtime.put(FakePlugin::new("broken").fails_to_load("syntax error"));

    let back = TestHost::over(host.runtime.clone(), host.store.clone(), Limits::default());
    let restored = back.restore().await.expect("the store can be read");

    assert_eq!(restored.registered, ids(&["changed"]));
    assert_eq!(restored.failed.len(), 1);
    assert_eq!(back.tool_names(), ["version", "count"]);
    let broken = back.plugin("broken").expect("known");
    assert_eq!(broken.status, PluginStatus::Error);
    assert_eq!(broken.error.as_deref(), Some("the plugin `broken` could not be loaded: syntax error"));

    back.runtime.put(FakePlugin::new("broken").tool("echo"));
    let again = TestHost::over(host.runtime.clone(), host.store.clone(), Limits::default());
    again.restore().await.expect("the store can be read");
    assert_eq!(
        again.plugin("broken").expect("known").status,
        PluginStatus::Enabled,
        "mended, it is back as it was"
    );
}

#[tokio::test]
async fn a_change_that_cannot_be_saved_is_not_made() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").tool("echo")).await;
    host.know(FakePlugin::new("q").tool("count")).await;
    host.store.set_full(true);

    let load = host.load("q", None, Dependencies::MustBeLoaded).await.unwrap_err();
    let unload = host.unload("p", false).await.unwrap_err();
    let disable = host.disable("p", false).await.unwrap_err();

    assert_eq!(
        (load.code(), unload.code(), disable.code()),
        ("storage_full", "storage_full", "storage_full")
    );
    assert_eq!(host.tool_names(), ["echo"]);
    assert_eq!(host.call("echo", json!({})).await, Ok(json!({})));
    assert_eq!(host.runtime.running(), 1);
    host.store.set_full(false);
    host.load("q", None, Dependencies::MustBeLoaded).await.expect("there is room again");
}

#[tokio::test]
async fn competencies_have_prerequisites_dependents_and_a_learning_path() {
    let host = TestHost::default();
    let plugin = FakePlugin::new("p")
        .competency("deep_learning", &["machine_learning", "python"])
        .competency("machine_learning", &["python", "statistics"])
        .competency("python", &[])
        .competency("statistics", &[]);
    host.load_fake(plugin).await.expect("the order in a plugin does not matter");
    let snapshot = host.snapshot();
    let texts =
        |ids: Vec<gathering_core::CompetencyId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();

    assert_eq!(
        texts(snapshot.learning_path("deep_learning")),
        ["python", "statistics", "machine_learning", "deep_learning"]
    );
    assert_eq!(
        texts(snapshot.all_prerequisites("deep_learning")),
        ["machine_learning", "python", "statistics"]
    );
    assert_eq!(texts(snapshot.dependents("python")), ["deep_learning", "machine_learning"]);
    assert!(snapshot.learning_path("cooking").is_empty());

    let missing = host.load_fake(FakePlugin::new("q").competency("chef", &["knife"])).await.unwrap_err();
    let circular = host
        .load_fake(FakePlugin::new("r").competency("egg", &["hen"]).competency("hen", &["egg"]))
        .await
        .unwrap_err();
    assert!(missing.to_string().contains(
        "Prerequisite 'knife' for competency 'chef' is not registered. Register prerequisites first."
    ));
    assert!(circular.to_string().contains("the prerequisites of `egg`, `hen` lead back to themselves"));
}

#[tokio::test]
async fn tools_are_found_by_category_competency_and_plugin() {
    let host = TestHost::default();
    let tool = |name: &str, category: &str| json!({"name": name, "description": "d", "category": category, "required_competencies": ["git", "git:expert"]});
    host.load_fake(
        FakePlugin::new("p").tool_with(tool("echo1", "finance")).tool_with(tool("echo2", "astrology")),
    )
    .await
    .expect("it loads");
    let snapshot = host.snapshot();
    let names = |index, key| {
        snapshot.tools().list_by(index, key).iter().map(|t| t.name.to_string()).collect::<Vec<_>>()
    };

    assert_eq!(names(Index::Category, "finance"), ["echo1"]);
    assert_eq!(names(Index::Category, "astrology"), ["echo2"]);
    assert_eq!(names(Index::Competency, "git"), ["echo1", "echo2"]);
    assert_eq!(names(Index::Plugin, "p"), ["echo1", "echo2"]);
    assert_eq!(snapshot.tools().counts(Index::Category), [("astrology".into(), 1), ("finance".into(), 1)]);
    host.unload("p", false).await.expect("it unloads");
    assert!(host.snapshot().tools().counts(Index::Category).is_empty());
    assert_eq!(snapshot.tools().len(), 2, "an old snapshot is not disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_half_a_plugin() {
    let host = Arc::new(TestHost::default());
    host.know((0..50).fold(FakePlugin::new("p"), |plugin, n| {
        plugin.tool(&format!("echo{n}")).competency(&format!("c{n}"), &[])
    }))
    .await;
    let reader = {
        let host = host.clone();
        tokio::spawn(async move {
            let mut seen = (false, false);
            while !(seen.0 && seen.1) {
                let snapshot = host.snapshot();
                let counts = (snapshot.tools().list().len(), snapshot.competencies().list().len());
                assert!(counts == (0, 0) || counts == (50, 50), "{counts:?}");
                if counts == (0, 0) {
                    seen.0 = true
                } else {
                    seen.1 = true
                }
                tokio::task::yield_now().await;
            }
        })
    };

    while !reader.is_finished() {
        host.load("p", None, Dependencies::MustBeLoaded).await.expect("it loads");
        host.unload("p", false).await.expect("it unloads");
    }

    reader.await.expect("no half plugin was seen");
}
