//! The file tools of the core plugin: what they do, and with which words they refuse.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};
use support::Core;

#[tokio::test]
async fn a_file_is_written_read_and_listed() {
    let core = Core::new().await;

    let written =
        core.call("write_file", json!({"path": "a/b.txt", "content": "één\n", "create_parents": true})).await;

    assert_eq!(written, Ok(json!({"path": "a/b.txt", "bytes": 6, "created": true})));
    assert_eq!(core.call("read_file", json!({"path": "a/b.txt"})).await, Ok(json!("één\n")));
    let absolute = core.path("a/b.txt");
    assert_eq!(core.call("read_file", json!({"path": absolute})).await, Ok(json!("één\n")));
    assert_eq!(
        core.call("list_directory", json!({"recursive": true})).await,
        Ok(json!({
            "entries": [{"path": "a", "type": "directory"}, {"path": "a/b.txt", "type": "file", "size": 6}],
            "total": 2,
        }))
    );
}

#[tokio::test]
async fn symbolic_links_inside_are_followed_for_reading() {
    let core = Core::new().await;
    std::fs::create_dir(core.path("real")).unwrap();
    std::fs::write(core.path("real/file"), "inside").unwrap();
    symlink("real", core.path("link")).unwrap();
    symlink("link/file", core.path("deep")).unwrap();

    assert_eq!(core.call("read_file", json!({"path": "deep"})).await, Ok(json!("inside")));
    assert_eq!(core.call("read_file", json!({"path": "real/../link/file"})).await, Ok(json!("inside")));
    core.call("write_file", json!({"path": "link/new", "content": "n"})).await.unwrap();
    assert_eq!(std::fs::read_to_string(core.path("real/new")).unwrap(), "n");
    let error = core.call("write_file", json!({"path": "deep", "content": "x"})).await.unwrap_err();
    assert_eq!(error, "`deep` is a symbolic link: write to the file that it leads to");
}

#[tokio::test]
async fn a_large_file_is_read_in_parts() {
    let core = Core::with(json!({"max_read_bytes": 1000})).await;
    let lines: Vec<String> = (0..1000).map(|n| format!("line {n}\r\n")).collect();
    std::fs::write(core.path("log"), lines.concat()).unwrap();

    let whole = core.call("read_file", json!({"path": "log"})).await.unwrap_err();
    let part = core.call("read_file", json!({"path": "log", "offset": 500, "limit": 2})).await;
    let last = core.call("read_file", json!({"path": "log", "offset": 998})).await;
    let beyond = core.call("read_file", json!({"path": "log", "offset": 1000})).await.unwrap_err();
    let much = core.call("read_file", json!({"path": "log", "offset": 0, "limit": 500})).await.unwrap_err();

    assert_eq!(
        whole,
        "`log` has more text than the 1000 bytes that one call returns: read it in parts with `offset` and `limit`; \
         the first 111 lines fit"
    );
    assert_eq!(part, Ok(json!("line 500\r\nline 501\r\n")));
    assert_eq!(last, Ok(json!("line 998\r\nline 999\r\n")));
    assert_eq!(beyond, "`log` has only 1000 lines, and `offset` is 1000");
    assert!(much.ends_with("111 of them fit"), "{much}");
    let content = core.content("read_file", json!({"path": "log", "offset": 500, "limit": 2})).await;
    assert_eq!(
        content[1],
        json!({"type": "text", "text": "(lines 501 to 502; the file goes on: read on with offset=502)"})
    );
}

#[tokio::test]
async fn encodings_are_named_and_nothing_is_replaced_in_silence() {
    let core = Core::new().await;
    for (encoding, bytes) in [
        ("utf-8", "é€\n".as_bytes().to_vec()),
        ("utf-8-sig", "\u{feff}é€\n".as_bytes().to_vec()),
        ("utf-16", b"\xff\xfe\xe9\x00\xac\x20\x0a\x00".to_vec()),
        ("utf-16be", b"\x00\xe9\x20\xac\x00\x0a".to_vec()),
        ("windows-1252", b"\xe9\x80\n".to_vec()),
        ("latin_1", b"\xe9\x80\n".to_vec()),
        ("iso-8859-15", b"\xe9\xa4\n".to_vec()),
    ] {
        let arguments = json!({"path": "f", "content": "é€\n", "encoding": encoding});
        core.call("write_file", arguments).await.unwrap();
        assert_eq!(std::fs::read(core.path("f")).unwrap(), bytes, "{encoding}");
        let read = core.call("read_file", json!({"path": "f", "encoding": encoding})).await;
        assert_eq!(read, Ok(json!("é€\n")), "{encoding}");
        if encoding.starts_with("utf") && encoding != "utf-16be" {
            assert_eq!(core.call("read_file", json!({"path": "f"})).await, Ok(json!("é€\n")), "{encoding}");
        }
    }
    std::fs::write(core.path("latin"), b"na\xefve").unwrap();
    assert_eq!(
        core.call("read_file", json!({"path": "latin"})).await.unwrap_err(),
        "`latin` is not UTF-8 at byte 2: if it is text, give its `encoding`, such as windows-1252; if it is binary, \
         this tool does not read it"
    );
    std::fs::write(core.path("program"), b"\x7fELF\x02\x01\x01\x00\x00").unwrap();
    let binary = core.call("read_file", json!({"path": "program"})).await.unwrap_err();
    assert!(binary.starts_with("`program` is binary"), "{binary}");
    let unmappable = json!({"path": "g", "content": "ab→", "encoding": "windows-1252"});
    assert_eq!(
        core.call("write_file", unmappable).await.unwrap_err(),
        "windows-1252 has no `→` (character 3 of the content): write utf-8 instead, or leave it out"
    );
    assert!(!core.path_exists("g"));
    let unknown = core.call("read_file", json!({"path": "f", "encoding": "klingon"})).await.unwrap_err();
    assert!(unknown.starts_with("there is no encoding `klingon`: use one such as utf-8,"), "{unknown}");
}

#[tokio::test]
async fn a_file_is_replaced_whole_and_keeps_its_mode() {
    let core = Core::new().await;
    std::fs::write(core.path("script"), "old").unwrap();
    std::fs::set_permissions(core.path("script"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let mut reader = std::fs::File::open(core.path("script")).unwrap();

    let written = core.call("write_file", json!({"path": "script", "content": "new"})).await.unwrap();

    assert_eq!(written["created"], false);
    assert_eq!(std::fs::metadata(core.path("script")).unwrap().permissions().mode() & 0o7777, 0o750);
    let mut old = String::new();
    std::io::Read::read_to_string(&mut reader, &mut old).unwrap();
    assert_eq!(old, "old", "whoever had it open still reads the old content");
    let refused = json!({"path": "script", "content": "x", "overwrite": false});
    let error = core.call("write_file", refused).await.unwrap_err();
    assert_eq!(error, "`script` is there already, and `overwrite` is false");
    let new = json!({"path": "other", "content": "x", "overwrite": false});
    core.call("write_file", new).await.unwrap();
    let names: Vec<_> =
        std::fs::read_dir(core.base()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
}

const CHILD: &str = "GATHERING_CORE_TEST_CHILD";

/// Runs as a process of its own, below: replaces a file again and again, and says so after each time.
#[tokio::test]
#[ignore = "the other half of `a_file_is_whole_after_a_kill`, which starts it"]
async fn child_that_writes_until_it_is_killed() {
    let core = Core::at(&std::env::var(CHILD).expect("started by the other half"), json!({})).await;
    for letter in ["a", "b", "c"].iter().cycle() {
        core.call("write_file", json!({"path": "f", "content": letter.repeat(4_000_000)})).await.unwrap();
        println!("\nwritten");
    }
}

#[test]
fn a_file_is_whole_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut written = lines.map(Result::unwrap).filter(|line| line == "written");
        written.nth(round % 3).expect("the child writes");
        child.kill().unwrap();
        child.wait().unwrap();

        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            assert_eq!(text.len(), 4_000_000);
            assert!(text.iter().all(|letter| *letter == text[0]), "parts of two contents");
        }
    }
}

#[tokio::test]
async fn writing_is_refused_with_the_reason() {
    let core = Core::with(json!({"max_write_bytes": 10})).await;
    std::fs::create_dir_all(core.path("sub/.git/hooks")).unwrap();
    symlink("sub/.git", core.path("innocent")).unwrap();

    for (path, expected) in [
        (
            "no/where.txt",
            "the folder of `no/where.txt` is not there: make it with `create_parents`, or check the path",
        ),
        ("sub", "`sub` is a folder, not a regular file: `list_directory` lists it"),
        ("new/", "`new/` names a folder: leave out the `/` at the end"),
        (".", "`.` is a folder, not the name of a file"),
    ] {
        let error = core.call("write_file", json!({"path": path, "content": "x"})).await.unwrap_err();
        assert_eq!(error, expected);
    }
    for path in
        ["sub/.git/hooks/pre-commit", "sub/.GIT/config", "innocent/config", ".mcp.json", ".vscode/tasks.json"]
    {
        let error = core.call("write_file", json!({"path": path, "content": "x"})).await.unwrap_err();
        assert!(error.contains("is not written: other programs run what"), "{error}");
    }
    let error = core.call("write_file", json!({"path": "f", "content": "x".repeat(11)})).await.unwrap_err();
    assert_eq!(error, "the content has 11 bytes, more than the 10 that one call writes");
}

#[tokio::test]
async fn a_listing_comes_in_pages_of_a_stable_order() {
    let core = Core::new().await;
    for n in 0..25 {
        std::fs::write(core.path(&format!("f{n:02}.txt")), "x").unwrap();
    }
    std::fs::create_dir(core.path("sub")).unwrap();
    std::fs::write(core.path("sub/f99.txt"), "x").unwrap();
    symlink("/etc/passwd", core.path("link")).unwrap();
    std::fs::write(core.path("new\nline"), "").unwrap();
    let bad = std::ffi::OsString::from_vec(b"bad\xff".to_vec());
    std::fs::write(Path::new(core.base()).join(&bad), "").unwrap();

    let mut paths = Vec::new();
    let mut offset = 0;
    loop {
        let page = core
            .call(
                "list_directory",
                json!({"pattern": "f*.txt", "recursive": true, "offset": offset, "limit": 10}),
            )
            .await
            .unwrap();
        assert_eq!(page["total"], 26);
        paths.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["path"].clone()));
        match page.get("next_offset") {
            Some(next) => offset = next.as_u64().unwrap(),
            None => break,
        }
    }
    let mut expected: Vec<Value> = (0..25).map(|n| json!(format!("f{n:02}.txt"))).collect();
    expected.push(json!("sub/f99.txt"));
    assert_eq!(paths, expected);
    let rest = core.call("list_directory", json!({"pattern": "[!f]*"})).await.unwrap();
    assert_eq!(
        rest["entries"],
        json!([
            {"path": "bad\\xff", "type": "file", "escaped": true},
            {"path": "link", "type": "symlink"},
            {"path": "new\nline", "type": "file", "size": 0},
            {"path": "sub", "type": "directory"},
        ])
    );
}

#[tokio::test]
async fn a_base_that_is_not_there_is_named_when_the_plugin_is_loaded() {
    let error = Core::try_at("/nowhere/at/all", json!({})).await.err().unwrap();

    assert!(
        error.contains(
            "the folder `/nowhere/at/all` (the setting `base_path` of the plugin `core`) cannot be opened"
        ),
        "{error}"
    );
}
