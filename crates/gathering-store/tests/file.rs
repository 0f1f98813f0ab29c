//! The file itself: who may read it, which files are refused, and that a kill loses nothing that was acknowledged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gathering_core::{Change, PluginRecord, StateStore, VERSION};
use gathering_store::{OpenError, SqliteStore};

fn refusal(path: &Path) -> OpenError {
    match SqliteStore::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// Runs SQL on the file behind the store's back.
fn tamper(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn folder(number: usize) -> Change {
    Change::AddDirectory(PathBuf::from(format!("/{number}")))
}

#[test]
fn only_its_owner_may_read_the_file_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();

    let store = SqliteStore::open(&path).unwrap();
    store.apply(&[Change::AddDirectory("/plugins".into())]).unwrap();
    drop(store);
    let _store = SqliteStore::open(&path).unwrap();

    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused_with_both_versions_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(SqliteStore::open(&path).unwrap());
    tamper(&path, "PRAGMA user_version = 7; UPDATE writer SET version = '9.1.0';");

    let error = refusal(&path);

    assert_eq!(
        error.to_string(),
        format!(
            "the state file `{}` was written by GatheRing 9.1.0 in format 7, and this is GatheRing {VERSION}, \
             which knows formats up to 4: run GatheRing 9.1.0 or newer, or choose another data directory",
            path.display()
        )
    );
}

#[test]
fn records_from_before_permissions_meant_something_are_kept_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(SqliteStore::open(&path).unwrap());
    tamper(
        &path,
        r#"INSERT INTO plugins (id, record) VALUES ('old', '{"id": "old", "runtime": "python",
            "source": {"path": "/old.py"}, "status": "enabled", "config": {"number": 18446744073709551615},
            "manifest": {"metadata": {"id": "old", "name": "é", "version": "1", "description": "",
            "permissions": {"network": true, "anything": [1]}}}, "fingerprint": "f"}');
        DROP TABLE agents; DROP TABLE messages; DROP TABLE conversations; PRAGMA user_version = 1;"#,
    );

    let store = SqliteStore::open(&path).unwrap();

    let [old]: [PluginRecord; 1] = store.plugins().unwrap().try_into().unwrap();
    assert_eq!(store.set_aside().unwrap(), []);
    assert!(old.manifest.metadata.permissions.is_empty() && old.allowed.is_empty());
    assert_eq!(old.config, serde_json::json!({"number": u64::MAX}));
    assert_eq!(old.manifest.metadata.name, "é");
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "dear diary").unwrap();
    let other = folder.path().join("other.db");
    tamper(&other, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);");
    let before = std::fs::read(&other).unwrap();

    let errors = [refusal(&text), refusal(&other), refusal(folder.path())];

    for (error, reason) in errors.iter().zip([
        "it is no SQLite database",
        "it is a database of another program",
        "it is not a regular file",
    ]) {
        assert!(matches!(error, OpenError::Foreign { reason: said, .. } if said == reason), "{error}");
    }
    assert_eq!(std::fs::read(&text).unwrap(), b"dear diary");
    assert_eq!(std::fs::read(&other).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing was put beside them");
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = SqliteStore::open(&path).unwrap();
    store.apply(&(0..2000).map(self::folder).collect::<Vec<_>>()).unwrap();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();

    let error = refusal(&path);

    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_name_that_means_something_to_sqlite_is_a_file_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file:state.db?mode=memory");

    SqliteStore::open(&path).unwrap().apply(&[self::folder(1)]).unwrap();

    assert_eq!(SqliteStore::open(&path).unwrap().directories().unwrap().len(), 1);
    assert!(path.is_file());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = refusal(Path::new("/nowhere/at/all/state.db"));

    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all/state.db"), "{error}");
}

#[test]
fn two_stores_on_one_file_see_each_others_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (one, other) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());

    one.apply(&[self::folder(1)]).unwrap();
    other.apply(&[self::folder(2)]).unwrap();

    assert_eq!(one.directories().unwrap(), other.directories().unwrap());
    assert_eq!(one.directories().unwrap().len(), 2);
}

const CHILD: &str = "GATHERING_STORE_TEST_CHILD";

/// Runs as a process of its own, below: adds folders two by two, and says so after each change.
#[test]
#[ignore = "the other half of `a_kill_loses_nothing_that_was_acknowledged`, which starts it"]
fn child_that_writes_until_it_is_killed() {
    let path = std::env::var_os(CHILD).expect("started by the other half");
    let store = SqliteStore::open(path).unwrap();
    let first = store.directories().unwrap().len() / 2;
    for number in first.. {
        store.apply(&[folder(2 * number), folder(2 * number + 1)]).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsaved {number}").and_then(|()| out.flush()).unwrap();
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut acknowledged = 0;
    for wait_for in [1, 2, 3, 50, 200, 7, 31] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut heard = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(number) = line.unwrap().strip_prefix("saved ") {
                acknowledged = number.parse::<usize>().unwrap() + 1;
                heard += 1;
            }
            if heard == wait_for {
                child.kill().unwrap();
            }
        }
        assert!(heard >= wait_for, "the child ended by itself");
        child.wait().unwrap();

        let kept = SqliteStore::open(&path).unwrap().directories().unwrap();

        let expected: Vec<_> = (0..kept.len()).map(|number| PathBuf::from(format!("/{number}"))).collect();
        assert_eq!(kept, expected, "in order, without a gap");
        assert_eq!(kept.len() % 2, 0, "half a change was kept");
        assert!(
            (acknowledged..=acknowledged + 1).contains(&(kept.len() / 2)),
            "{acknowledged} {}",
            kept.len()
        );
    }
}
