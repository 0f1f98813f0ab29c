//! The journal: a row of every call, kept before the answer, in the table once, within its bounds.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gathering_core::{
    CallFilter, CallId, CallPage, CallRow, Caller, Decision, Journal, SecretError, Secrets, TraceId,
};
use gathering_host::{CallOptions, Host};
use gathering_store::{CallJournal, JournalSettings, OnFailure};
use gathering_testkit::{FakePlugin, FakeRuntime, MemoryStore, TestHost, agent};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn open(folder: &Path, settings: JournalSettings) -> Arc<CallJournal> {
    Arc::new(CallJournal::open(folder, settings).expect("it can be opened"))
}

struct OneSecret;

impl Secrets for OneSecret {
    fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        Ok((name == "KEY").then(|| "sk-0123456789".to_owned()))
    }
}

/// A host that keeps its rows in `journal`.
fn host(journal: &Arc<CallJournal>) -> TestHost {
    let (runtime, store) = (Arc::<FakeRuntime>::default(), Arc::<MemoryStore>::default());
    let host = Host::builder()
        .runtime(runtime.clone())
        .store(store.clone())
        .secrets(Arc::new(OneSecret))
        .journal(journal.clone())
        .build();
    TestHost { host, runtime, store }
}

/// The rows that fit `filter`, newest first.
fn rows(journal: &CallJournal, filter: CallFilter) -> Vec<Value> {
    page(journal, filter).rows.iter().map(|row| serde_json::from_str(row).expect("it is JSON")).collect()
}

fn page(journal: &CallJournal, filter: CallFilter) -> CallPage {
    journal.calls(&CallFilter { limit: filter.limit.max(100), ..filter }).expect("it can be read")
}

fn all(journal: &CallJournal) -> Vec<Value> {
    rows(journal, CallFilter::default())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as u64
}

/// A row that says little.
fn row(number: u128, at_ms: u64) -> CallRow<'static> {
    CallRow {
        call_id: CallId(number),
        trace_id: TraceId(number),
        parent_call_id: None,
        at_ms,
        caller: "operator",
        tool: "echo",
        plugin_id: None,
        plugin_version: None,
        arguments: None,
        arguments_begin: None,
        arguments_bytes: None,
        decision: Decision::Allowed,
        code: None,
        error: None,
        duration_ms: 0.5,
        tier: None,
        result: None,
    }
}

#[tokio::test]
async fn a_call_that_was_answered_has_a_row_that_says_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), JournalSettings::default());
    let host = host(&journal);
    host.enable_fake(FakePlugin::new("p").tool("echo")).await;
    let before = now_ms();

    let arguments = json!({"text": "größe", "n": 1}).as_object().unwrap().clone();
    let report = host.execute(Caller::Operator, "echo", arguments, CallOptions::default()).await;

    let found = all(&journal);
    let [row] = found.as_slice() else { panic!("{found:?}") };
    let answered = serde_json::to_string(&report.outcome.unwrap().value).unwrap();
    let digest: String = Sha256::digest(&answered).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!((before..=now_ms()).contains(&row["at_ms"].as_u64().unwrap()), "{row}");
    assert!(row["duration_ms"].as_f64().unwrap() > 0.0);
    let mut rest = row.clone();
    for name in ["at_ms", "duration_ms"] {
        rest.as_object_mut().unwrap().shift_remove(name);
    }
    assert_eq!(
        rest,
        json!({
            "call_id": report.call_id.to_string(),
            "trace_id": report.trace_id.to_string(),
            "caller": "operator",
            "tool": "echo",
            "plugin_id": "p",
            "plugin_version": "1.0.0",
            "arguments": {"text": "größe", "n": 1},
            "arguments_bytes": 24,
            "decision": "allowed",
            "tier": "native",
            "result_sha256": digest,
            "result_bytes": answered.len(),
        })
    );
    let one = journal.call(&report.call_id.to_string()).unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), *row);
    assert_eq!(journal.call("no such").unwrap(), None);
}

#[tokio::test]
async fn what_was_refused_has_a_row_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), JournalSettings::default());
    let host = host(&journal);
    let add = json!({
        "name": "add", "description": "adds", "category": "custom",
        "parameters": {"x": {"type": "integer"}, "y": {"type": "integer"}},
        "required_competencies": ["sums"],
    });
    host.enable_fake(FakePlugin::new("p").tool_with(add).tool("fail").tool("sleep")).await;
    host.load_fake(FakePlugin::new("off").tool("echo_off")).await.unwrap();

    let long = "n".repeat(1000);
    host.call(&long, json!({})).await.unwrap_err();
    host.call_as(agent("ann", &[]), "add", json!({"x": 1, "y": 2})).await.unwrap_err();
    host.call("add", json!({"x": "one"})).await.unwrap_err();
    host.call_as(agent("ann", &[]), "echo_off", json!({})).await.unwrap_err();
    host.call("fail", json!({"message": "no luck"})).await.unwrap_err();
    let brief = CallOptions { timeout: Some(Duration::from_millis(20)) };
    let forever = json!({"seconds": 60}).as_object().unwrap().clone();
    host.execute(Caller::Operator, "sleep", forever, brief).await.outcome.unwrap_err();

    let told: Vec<Value> = all(&journal)
        .iter()
        .rev()
        .map(|row| json!([row["caller"], row["plugin_id"], row["decision"], row["code"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["operator", null, "refused", "unknown_tool"]),
            json!(["ann", "p", "refused", "missing_competency"]),
            json!(["operator", "p", "refused", "invalid_arguments"]),
            json!(["ann", "off", "refused", told[3][3]]),
            json!(["operator", "p", "allowed", "tool_error"]),
            json!(["operator", "p", "allowed", "timed_out"]),
        ]
    );
    let rows = all(&journal);
    assert_eq!(rows[5]["tool"].as_str().unwrap().len(), 64, "a name that is none is shortened");
    assert_eq!(rows[1]["error"], "no luck");
    assert_eq!(rows[1].get("result_sha256"), None);
    let of_ann = CallFilter { caller: Some("ann".to_owned()), ..CallFilter::default() };
    assert_eq!(self::rows(&journal, of_ann).len(), 2);
    let refused = CallFilter { decision: Some("refused".to_owned()), ..CallFilter::default() };
    assert_eq!(self::rows(&journal, refused).len(), 4);
    let failed = CallFilter { code: Some("tool_error".to_owned()), ..CallFilter::default() };
    assert_eq!(self::rows(&journal, failed).len(), 1);
}

#[tokio::test]
async fn a_call_from_within_a_call_names_its_parent_and_belongs_to_the_same_trace() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), JournalSettings::default());
    let host = host(&journal);
    host.enable_fake(FakePlugin::new("p").tool("call").tool("echo")).await;

    host.call("call", json!({"tool": "echo", "arguments": {}})).await.unwrap();

    let found = all(&journal);
    let [outer, inner] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&inner["tool"], &outer["tool"]), (&json!("echo"), &json!("call")));
    assert_eq!(inner["parent_call_id"], outer["call_id"]);
    assert_eq!(inner["trace_id"], outer["trace_id"]);
    assert_eq!(outer.get("parent_call_id"), None);
    let trace =
        CallFilter { trace_id: Some(outer["call_id"].as_str().unwrap().to_owned()), ..CallFilter::default() };
    assert_eq!(rows(&journal, trace).len(), 2);
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_is_told_as_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), JournalSettings::default());
    let host = host(&journal);
    host.enable_fake(FakePlugin::new("p").tool("wait")).await;

    let call = host.call("wait", json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());

    let found = all(&journal);
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["decision"], &found[0]["code"]), (&json!("allowed"), &json!("cancelled")));
}

#[tokio::test]
async fn secrets_of_the_plugin_are_not_kept_and_large_arguments_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalSettings { max_arguments: 64, ..JournalSettings::default() };
    let journal = open(folder.path(), settings);
    let host = host(&journal);
    host.enable_fake(FakePlugin::new("p").asks(json!({"secrets": "KEY"})).tool("secrets").tool("echo")).await;
    host.grant("p", serde_json::from_value(json!({"secrets": "KEY"})).unwrap()).await.unwrap();
    host.call("secrets", json!({})).await.unwrap();

    host.call("echo", json!({"key": "sk-0123456789"})).await.unwrap();
    host.call("echo", json!({"key": "sk-0123456789", "text": "ü".repeat(100)})).await.unwrap();

    let found = all(&journal);
    assert_eq!(found[1]["arguments"], json!({"key": "***"}));
    assert_eq!(found[0].get("arguments"), None);
    let begin = found[0]["arguments_begin"].as_str().unwrap();
    assert!(begin.starts_with("{\"key\":\"***\",\"text\":\"üü"), "{begin}");
    assert!(begin.len() <= 64 && found[0]["arguments_bytes"].as_u64().unwrap() > 200, "{}", found[0]);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        assert!(!text.windows(13).any(|bytes| bytes == b"sk-0123456789"));
    }
}

#[test]
fn what_a_killed_process_left_is_taken_once_and_a_row_that_was_cut_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let line = |number: u128| serde_json::to_string(&row(number, now_ms())).unwrap();
    let mut left = fs::File::create(folder.path().join("calls-0000000007.jsonl")).unwrap();
    write!(left, "{}\n{}\nnonsense\n\n{}", line(1), line(2), &line(3)[..40]).unwrap();

    for _ in 0..3 {
        let journal = open(folder.path(), JournalSettings::default());
        let ids: Vec<_> = all(&journal).iter().map(|row| row["call_id"].clone()).collect();
        assert_eq!(ids, [json!(CallId(2)), json!(CallId(1))]);
        assert!(!folder.path().join("calls-0000000007.jsonl").exists(), "it is drained");
    }
}

#[test]
fn rows_that_many_threads_keep_are_all_there_once_and_old_files_go() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), JournalSettings::default());
    let text = serde_json::value::to_raw_value(&"x".repeat(4000)).unwrap();

    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let (journal, text) = (&journal, &text);
            scope.spawn(move || {
                for number in 0..1500 {
                    let arguments = Some(&**text);
                    let row = CallRow { arguments, ..row(thread << 32 | number, now_ms()) };
                    journal.keep(&row).unwrap();
                }
            });
        }
    });

    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let filter = CallFilter { before, limit: 1000, ..CallFilter::default() };
        let page = journal.calls(&filter).unwrap();
        seen.extend(
            page.rows.iter().map(|row| {
                serde_json::from_str::<Value>(row).unwrap()["call_id"].as_str().unwrap().to_owned()
            }),
        );
        before = page.last;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 6000);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 6000, "each once");
    let files = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "jsonl")
    });
    assert_eq!(files.count(), 1, "24 MB were more than one file, and those that are drained are removed");
}

#[test]
fn the_oldest_rows_go_when_there_are_too_many_or_they_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalSettings { keep_rows: 10, ..JournalSettings::default() };
    let journal = open(folder.path(), settings);
    for number in 0..50 {
        journal.keep(&row(number, now_ms())).unwrap();
    }
    drop(journal);

    let journal = open(folder.path(), JournalSettings::default());
    assert_eq!(all(&journal).len(), 10);
    assert_eq!(all(&journal)[9]["call_id"], json!(CallId(40)));
    let long_ago = now_ms() - 31 * 24 * 3600 * 1000;
    drop(journal);
    let journal = open(
        folder.path(),
        JournalSettings { keep_for: Duration::from_secs(3600), ..JournalSettings::default() },
    );
    journal.keep(&row(100, long_ago)).unwrap();
    drop(journal);
    let journal = open(folder.path(), JournalSettings::default());
    assert_eq!(all(&journal).len(), 11, "what came in its midst goes when it is the oldest");
}

#[test]
fn whoever_follows_is_told_of_the_next_row_even_if_it_comes_before_they_wait() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), JournalSettings::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let next = journal.next_kept();
    journal.keep(&row(1, now_ms())).unwrap();
    runtime.block_on(next);

    let after = CallFilter { after: Some(0), ..CallFilter::default() };
    assert_eq!(rows(&journal, after).len(), 1);
}

/// A file system of 1 MiB, while it lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_runs_unless_the_operator_prefers_no_rows() {
    let Some(disk) = SmallDisk::new() else {
        return println!("NOT RUN: no file system can be mounted here, so none can be full");
    };
    for on_failure in [OnFailure::Refuse, OnFailure::Continue] {
        let folder = disk.0.path().join(format!("{on_failure:?}"));
        let journal = open(&folder, JournalSettings { on_failure, ..JournalSettings::default() });
        let host = host(&journal);
        host.enable_fake(FakePlugin::new("p").tool("count").tool("echo")).await;
        host.call("count", json!({})).await.unwrap();
        assert_eq!(all(&journal).len(), 1);
        // The rest of the disk is somebody else's.
        let filler = disk.0.path().join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        drop(file);

        // What is left of the last page takes some.
        let mut refused = None;
        for _ in 0..50 {
            if let Err(error) = host.call("count", json!({"text": "x".repeat(500)})).await {
                refused = Some(error);
                break;
            }
        }
        let (trouble, counted) = (journal.trouble(), host.call("count", json!({})).await);

        match on_failure {
            OnFailure::Refuse => {
                let error = refused.expect("it is refused");
                assert_eq!(error.code(), "journal_failed");
                assert!(
                    error.to_string().contains("the call was made, and its result is withheld"),
                    "{error}"
                );
                assert!(error.to_string().contains("No space left"), "{error}");
                let next = counted.unwrap_err().to_string();
                assert!(next.starts_with("nothing was run, because the journal"), "{next}");
                assert!(next.contains("journal.on_failure"), "{next}");
            }
            OnFailure::Continue => assert!(refused.is_none() && counted.is_ok()),
        }
        assert!(trouble.expect("it is told").contains("cannot be written"), "and health says so");
        fs::remove_file(&filler).unwrap();
        host.call("echo", json!({"room": true})).await.expect("there is room again");
        assert_eq!(journal.trouble(), None);
        assert_eq!(all(&journal)[0]["arguments"], json!({"room": true}));
        assert!(all(&journal).iter().all(|row| row["call_id"].is_string()), "no half row stays");
    }
}
