//! What the store does with a record that cannot be read and with a disk that is full: nothing else is lost.

use gathering_core::{
    AgentRecord, ConversationRecord, ConversationStore, Permissions, PluginManifest, PluginMetadata,
    PluginSource, PluginStatus,
};
use serde_json::json;

use super::*;

fn record(id: &str) -> PluginRecord {
    let metadata: PluginMetadata =
        serde_json::from_value(json!({"id": id, "name": id, "version": "1", "description": ""})).unwrap();
    PluginRecord {
        id: metadata.id.clone(),
        runtime: "native".into(),
        source: PluginSource::Builtin(metadata.id.clone()),
        status: PluginStatus::Enabled,
        config: json!({}),
        allowed: Permissions::default(),
        manifest: PluginManifest::new(metadata),
        fingerprint: "1".into(),
    }
}

fn save(id: &str) -> Change {
    Change::SavePlugin(Box::new(record(id)))
}

fn agent(id: &str) -> AgentRecord {
    AgentRecord { token_sha256: "00".repeat(32), deleted: false, ..AgentRecord::deleted(id.parse().unwrap()) }
}

fn ids(store: &SqliteStore) -> Vec<String> {
    store.plugins().unwrap().iter().map(|record| record.id.to_string()).collect()
}

fn new_store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("state.db")).unwrap();
    (folder, store)
}

#[test]
fn agents_are_kept_in_the_order_of_their_making() {
    let (_folder, store) = new_store();
    let renamed = AgentRecord { name: "Ann".into(), ..agent("a") };
    let save = |record: &AgentRecord| Change::SaveAgent(Box::new(record.clone()));

    store.apply(&[save(&agent("a")), save(&agent("b")), save(&renamed)]).unwrap();

    assert_eq!(store.agents().unwrap(), [renamed, agent("b")]);
}

#[test]
fn an_agent_whose_record_cannot_be_read_counts_as_deleted_and_keeps_its_id() {
    let (_folder, store) = new_store();
    let save = |id| Change::SaveAgent(Box::new(agent(id)));
    store.apply(&[save("a"), save("b")]).unwrap();
    store.connection().execute_batch("UPDATE agents SET record = '{\"id\": 7}' WHERE id = 'a'").unwrap();

    let read = store.agents().unwrap();

    assert_eq!(read, [AgentRecord::deleted("a".parse().unwrap()), agent("b")]);
    assert_eq!(store.set_aside().unwrap()[0].id, "a");
    assert_eq!(store.agents().unwrap(), read);
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_and_hides_no_other() {
    let (_folder, store) = new_store();
    store.apply(&[save("a"), save("b"), save("c"), save("d")]).unwrap();
    store
        .connection()
        .execute_batch(
            "UPDATE plugins SET record = '{\"id\": 7}' WHERE id = 'b';
             UPDATE plugins SET record = CAST(x'ff00' AS TEXT) WHERE id = 'c';",
        )
        .unwrap();

    assert_eq!(ids(&store), ["a", "d"]);

    let set_aside = store.set_aside().unwrap();
    assert_eq!(set_aside.iter().map(|held| held.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert!(set_aside[0].reason.contains("invalid type: integer `7`"), "{}", set_aside[0].reason);
    let kept: Vec<u8> = store
        .connection()
        .query_row("SELECT record FROM set_aside WHERE id = 'c'", (), |row| {
            row.get_ref(0)?.as_bytes().map(<[u8]>::to_vec).map_err(Into::into)
        })
        .unwrap();
    assert_eq!(kept, [0xff, 0x00]);
}

#[test]
fn a_plugin_whose_record_was_set_aside_can_be_saved_again() {
    let (_folder, store) = new_store();
    store.apply(&[save("a")]).unwrap();
    store.connection().execute("UPDATE plugins SET record = ''", ()).unwrap();
    assert_eq!(ids(&store), Vec::<String>::new());

    store.apply(&[save("a")]).unwrap();

    assert_eq!(ids(&store), ["a"]);
    assert_eq!(store.set_aside().unwrap().len(), 1);
}

#[test]
fn a_full_disk_refuses_all_of_a_change_and_leaves_the_rest_readable() {
    let (_folder, store) = new_store();
    store.apply(&[save("a")]).unwrap();
    let pages: i64 = store.connection().query_row("PRAGMA page_count", (), |row| row.get(0)).unwrap();
    let limit = |pages: i64| {
        let connection = store.connection();
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())).unwrap();
    };
    let mut large = record("large");
    large.config = json!("x".repeat(100_000));
    let change = [save("b"), Change::SavePlugin(Box::new(large))];
    limit(pages);

    let error = store.apply(&change).unwrap_err();

    assert!(matches!(error, StateError::StorageFull(_)), "{error}");
    assert_eq!(ids(&store), ["a"]);
    limit(1_000_000);
    store.apply(&change).unwrap();
    assert_eq!(ids(&store), ["a", "b", "large"]);
}

fn conversation(id: &str, agent: &str, updated_ms: u64) -> ConversationRecord {
    ConversationRecord {
        id: id.into(),
        agent: agent.parse().unwrap(),
        title: "é".into(),
        model: "main".into(),
        created_ms: 1,
        updated_ms,
        messages: 2,
        input_tokens: 3,
        output_tokens: 4,
        cost: 0.5,
    }
}

#[test]
fn conversations_are_continued_shown_to_their_agent_only_and_removed_with_it() {
    let (_folder, store) = new_store();
    let (a, b) = (agent("a"), agent("b"));
    let (first, second) = (conversation("1", "a", 10), conversation("2", "a", 20));
    let said = [json!({"role": "user", "text": "é"}), json!({"role": "assistant"})];

    store.continue_conversation(&first, &said[..1]).unwrap();
    store.continue_conversation(&second, &said).unwrap();
    let first = ConversationRecord { updated_ms: 30, ..first };
    store.continue_conversation(&first, &said[1..]).unwrap();

    assert_eq!(store.conversations(&a.id).unwrap(), [first.clone(), second]);
    assert_eq!(store.conversation(&a.id, "1").unwrap(), Some((first, said.to_vec())));
    assert_eq!(store.conversation(&b.id, "1").unwrap(), None);
    assert!(
        !store.remove_conversation(&b.id, "1").unwrap() && store.remove_conversation(&a.id, "1").unwrap()
    );
    store.apply(&[Change::SaveAgent(Box::new(AgentRecord::deleted(a.id.clone())))]).unwrap();
    assert_eq!(store.conversations(&a.id).unwrap(), []);
    let left: i64 =
        store.connection().query_row("SELECT count(*) FROM messages", (), |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}
