//! Any sequence of changes leaves the file as it leaves the store in memory, over any number of restarts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use gathering_core::{
    Change, Permissions, PluginId, PluginManifest, PluginMetadata, PluginRecord, PluginSource, PluginStatus,
    StateStore,
};
use gathering_store::SqliteStore;
use gathering_testkit::MemoryStore;
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Change>),
    Reopen,
}

fn record(id: String, status: PluginStatus, text: String, path: Option<PathBuf>) -> PluginRecord {
    let metadata: PluginMetadata = serde_json::from_value(
        json!({"id": id, "name": text, "version": "1.0.0", "description": text, "tags": [text]}),
    )
    .unwrap();
    let id = metadata.id.clone();
    PluginRecord {
        runtime: "python".into(),
        source: path.map_or_else(|| PluginSource::Builtin(id.clone()), PluginSource::Path),
        id,
        status,
        config: json!({"key": text, "number": u64::MAX, "small": 0.1}),
        allowed: Permissions::from_words(["read=/é", "network=*.example.com:443", "memory=3"]).unwrap(),
        manifest: PluginManifest::new(metadata),
        fingerprint: text,
    }
}

fn change() -> impl Strategy<Value = Change> {
    let id = "[a-e]";
    let status = prop::sample::select(PluginStatus::ALL.to_vec());
    let path = prop::option::of("/[a-z/é ]{0,8}".prop_map(PathBuf::from));
    let folder =
        prop::sample::select(vec![b"/plugins".to_vec(), b"/b".to_vec(), b"/not \xff utf-8".to_vec()])
            .prop_map(|bytes| PathBuf::from(OsString::from_vec(bytes)));
    prop_oneof![
        4 => (id, status, ".{0,12}", path)
            .prop_map(|(id, status, text, path)| Change::SavePlugin(Box::new(record(id, status, text, path)))),
        2 => id.prop_map(|id| Change::RemovePlugin(PluginId::new(id).unwrap())),
        1 => folder.clone().prop_map(Change::AddDirectory),
        1 => folder.prop_map(Change::RemoveDirectory),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => prop::collection::vec(change(), 0..5).prop_map(Step::Apply),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_file_holds_what_the_store_in_memory_holds(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let model = MemoryStore::default();
        let mut store = SqliteStore::open(&path).unwrap();
        for step in steps {
            match step {
                Step::Apply(changes) => {
                    model.apply(&changes).unwrap();
                    store.apply(&changes).unwrap();
                }
                Step::Reopen => {
                    drop(store);
                    store = SqliteStore::open(&path).unwrap();
                }
            }
            prop_assert_eq!(store.plugins().unwrap(), model.plugins().unwrap());
            prop_assert_eq!(store.directories().unwrap(), model.directories().unwrap());
        }
        prop_assert_eq!(store.set_aside().unwrap(), vec![]);
    }
}
