//! The file tools of the core plugin in hostile folders: nothing leads out, nothing hangs, nothing drowns.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use support::Core;

const CANARY: &str = "CANARY-7f3a";

/// A working folder with a secret beside it.
async fn with_secret() -> (Core, std::path::PathBuf) {
    let core = Core::new().await;
    let outside = core.outside();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), CANARY).unwrap();
    (core, outside)
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let (core, outside) = with_secret().await;
    let evil = core.base().to_owned() + "-evil";
    std::fs::create_dir(&evil).unwrap();
    std::fs::write(Path::new(&evil).join("secret"), CANARY).unwrap();
    symlink(outside.join("secret"), core.path("ln")).unwrap();
    symlink(&outside, core.path("d")).unwrap();
    symlink("../outside", core.path("relative")).unwrap();
    symlink(outside.join("created"), core.path("new")).unwrap();
    std::fs::create_dir(core.path("a")).unwrap();
    let before = std::fs::metadata(&outside).unwrap().mtime_nsec();

    for path in [
        "../outside/secret",
        "a/../../outside/secret",
        "./././../outside/secret",
        "/etc/passwd",
        &format!("{evil}/secret"),
        "ln",
        "d/secret",
        "relative/secret",
        "/proc/self/environ",
        "..",
        "a/../..",
    ] {
        for (tool, arguments) in [
            ("read_file", json!({"path": path})),
            ("write_file", json!({"path": path, "content": "x", "create_parents": true})),
            ("list_directory", json!({"path": path})),
        ] {
            let error = core.call(tool, arguments).await.unwrap_err();
            assert!(
                !error.contains(CANARY) && !error.contains(core.base()) || path.starts_with(&evil),
                "{error}"
            );
        }
    }
    let error = core.call("read_file", json!({"path": "../outside/secret"})).await.unwrap_err();
    assert_eq!(
        error,
        "`../outside/secret` lies outside of the folder that this tool works in; paths are relative to that"
    );
    for path in ["d/new", "new", "relative/new"] {
        core.call("write_file", json!({"path": path, "content": "x"})).await.unwrap_err();
    }
    core.call("list_directory", json!({"path": "d"})).await.unwrap_err();
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), CANARY);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(std::fs::metadata(&outside).unwrap().mtime_nsec(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanging_a_folder_for_a_link_meanwhile_lets_nothing_out_and_nothing_in() {
    let (core, outside) = with_secret().await;
    std::fs::write(outside.join("f"), CANARY).unwrap();
    std::fs::create_dir(core.path("d")).unwrap();
    std::fs::write(core.path("d/f"), "inside").unwrap();
    symlink(&outside, core.path("evil")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (stop, d, evil) = (stop.clone(), core.path("d"), core.path("evil"));
        std::thread::spawn(move || {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(rustix::fs::CWD, &d, rustix::fs::CWD, &evil, flags).unwrap();
            }
        })
    };

    let mut read = 0;
    for _ in 0..1_000 {
        if let Ok(text) = core.call("read_file", json!({"path": "d/f"})).await {
            assert_eq!(text, json!("inside"));
            read += 1;
        }
        let _ = core.call("write_file", json!({"path": "d/f", "content": "inside"})).await;
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();

    assert!(read > 0, "the folder was never there");
    assert_eq!(std::fs::read_to_string(outside.join("f")).unwrap(), CANARY);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2);
}

#[tokio::test]
async fn only_regular_files_are_opened() {
    let core = Core::new().await;
    rustix::fs::mknodat(rustix::fs::CWD, core.path("pipe"), rustix::fs::FileType::Fifo, 0o644.into(), 0)
        .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(core.path("socket")).unwrap();
    std::fs::create_dir(core.path("folder")).unwrap();
    std::fs::write(core.path("f.txt"), "text").unwrap();
    let started = Instant::now();

    for path in ["pipe", "socket"] {
        let error = core.call("read_file", json!({"path": path})).await.unwrap_err();
        assert_eq!(error, format!("`{path}` is a pipe, socket or device, not a regular file"));
        core.call("write_file", json!({"path": path, "content": ""})).await.unwrap_err();
    }
    for (path, expected) in [
        ("folder", "`folder` is a folder, not a regular file: `list_directory` lists it"),
        (".", "`.` is a folder, not a regular file: `list_directory` lists it"),
        ("", "the path is empty: `.` is the folder that this tool works in"),
        ("f.txt/", "`f.txt/` names a folder: leave out what follows the file's name"),
        ("f.txt/x", "`f.txt/x` is not a folder, or leads through something that is none"),
        ("nothing", "there is no `nothing`"),
        ("..%2foutside", "there is no `..%2foutside`"),
        ("f.txt\0.png", "the path `f.txt\\0.png` holds a NUL character"),
    ] {
        assert_eq!(core.call("read_file", json!({"path": path})).await.unwrap_err(), expected);
    }
    let long = core.call("read_file", json!({"path": "x".repeat(256)})).await.unwrap_err();
    assert!(long.ends_with("is too long"), "{long}");
    let longer = core.call("read_file", json!({"path": "x/".repeat(2500)})).await.unwrap_err();
    assert_eq!(longer, "the path has 5000 bytes, more than 4096");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn devices_are_not_opened_whatever_the_base_is() {
    let core = Core::at("/dev", json!({})).await;

    for device in ["zero", "random", "tty", "full"] {
        let error = core.call("read_file", json!({"path": device})).await.unwrap_err();
        assert!(error.contains("not a regular file") || error.contains("there is no"), "{error}");
    }
}

#[tokio::test]
async fn a_huge_sparse_file_costs_nothing() {
    let core = Core::new().await;
    std::fs::File::create(core.path("sparse")).unwrap().set_len(1 << 40).unwrap();
    let started = Instant::now();

    let error = core.call("read_file", json!({"path": "sparse"})).await.unwrap_err();

    assert!(error.starts_with("`sparse` is binary (there is a NUL near byte 0)"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_file_that_grows_is_read_up_to_the_limit() {
    let core = Core::new().await;
    let path = core.path("growing");
    std::fs::write(&path, "start\n").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, path) = (stop.clone(), path.clone());
        std::thread::spawn(move || {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            let line = "x".repeat(1000) + "\n";
            // At most 200 MB.
            for _ in 0..200_000 {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                file.write_all(line.as_bytes()).unwrap();
            }
        })
    };

    let answer = core.call("read_file", json!({"path": "growing", "encoding": "utf-8"})).await;
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();

    let length = answer.as_ref().map(|text| text.as_str().unwrap().len());
    assert!(matches!(length, Ok(..=1_048_576)) || answer.unwrap_err().contains("more text than"));
}

#[tokio::test]
async fn what_is_private_to_the_server_is_out_of_reach() {
    let core = Core::new().await;
    std::fs::create_dir_all(core.path("sub/.gathering")).unwrap();
    std::fs::create_dir(core.path("data")).unwrap();
    for token in ["sub/.gathering/operator.token", "data/operator.token"] {
        std::fs::write(core.path(token), CANARY).unwrap();
    }
    symlink("sub/.gathering", core.path("link")).unwrap();
    symlink("data/operator.token", core.path("token")).unwrap();
    let core =
        Core::at(core.base(), json!({"private": [core.path("data")], "protected": [core.path("plugins")]}))
            .await;
    std::fs::create_dir(core.path("plugins")).unwrap();

    for path in ["sub/.gathering/operator.token", "link/operator.token", "data/operator.token", "token"] {
        let error = core.call("read_file", json!({"path": path})).await.unwrap_err();
        assert_eq!(error, format!("`{path}` is private to the server"));
        core.call("write_file", json!({"path": path, "content": "mine"})).await.unwrap_err();
    }
    for path in ["sub/.gathering", "link", "data"] {
        let error = core.call("list_directory", json!({"path": path})).await.unwrap_err();
        assert_eq!(error, format!("`{path}` is private to the server"));
    }
    core.call("write_file", json!({"path": "plugins/mine.py", "content": ""})).await.unwrap_err();
    let listing = core.call("list_directory", json!({"recursive": true})).await.unwrap().to_string();
    assert!(!listing.contains("operator.token"), "{listing}");
    assert_eq!(std::fs::read_to_string(core.path("data/operator.token")).unwrap(), CANARY);
}

#[tokio::test]
async fn folders_hundreds_deep_and_thousands_wide_are_listed_within_limits() {
    let core = Core::new().await;
    std::fs::create_dir(core.path("wide")).unwrap();
    for n in 0..5_000 {
        std::fs::File::create(core.path(&format!("wide/{n}"))).unwrap();
    }
    let mut folder = std::fs::File::open(core.base()).unwrap();
    for _ in 0..300 {
        rustix::fs::mkdirat(&folder, "a", 0o755.into()).unwrap();
        folder = rustix::fs::openat(&folder, "a", rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap().into();
    }
    let started = Instant::now();

    let deep =
        core.call("list_directory", json!({"path": ".", "recursive": true, "limit": 5})).await.unwrap();
    let wide = core.call("list_directory", json!({"path": "wide", "limit": 100_000})).await.unwrap();

    assert_eq!(deep["incomplete"], "folders deeper than 64 were not looked into");
    assert_eq!(deep["total"], 5_000 + 1 + 64);
    assert_eq!(
        (wide["entries"].as_array().unwrap().len(), wide["next_offset"].as_u64()),
        (1_000, Some(1_000))
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}
