//! Plugins in the sandbox: what they can still do, and what they cannot.

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use gathering_sandbox::Tier;
use serde_json::json;
use support::PythonHost;

const PLUGIN: &str = r#"
def tool_read(self, path):
    with open(path) as f:
        return f.read()

def tool_write(self, path, text):
    with open(path, "w") as f:
        return f.write(text)

def tool_scratch(self, text):
    path = os.path.join(os.environ["HOME"], "kept.txt")
    with open(path, "a") as f:
        f.write(text)
    with open(path) as f:
        return f.read()

def tool_connect(self, port):
    import socket
    socket.create_connection(("127.0.0.1", port), timeout=2)

def tool_environment(self):
    return sorted(os.environ)

def tool_processes(self):
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())

def tool_fill(self):
    held = []
    while True:
        held.append(bytearray(32 << 20))

def tool_children(self):
    import subprocess
    code = "x = bytearray(200 << 20)\nwhile True: pass"
    children = [subprocess.Popen([sys.executable, "-I", "-S", "-c", code]) for _ in range(8)]
    children[0].wait()

def tool_hoard(self):
    for number in range(20):
        with open(os.path.join(os.environ["HOME"], f"hoard{number}"), "wb") as f:
            os.posix_fallocate(f.fileno(), 0, 64 << 20)
    while True:
        pass

def tool_daemon(self, marker):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            import ctypes
            ctypes.CDLL(None).prctl(15, marker.encode(), 0, 0, 0)
            import time
            time.sleep(1000)
        os._exit(0)
    while True:
        pass

def tool_pool(self):
    from concurrent.futures import ThreadPoolExecutor
    import subprocess
    with ThreadPoolExecutor(4) as pool:
        return [list(pool.map(lambda n: n * n, range(4))), subprocess.check_output(["echo", "hi"], text=True)]

def tool_loop(self):
    while True:
        pass
"#;

async fn confined() -> Option<PythonHost> {
    let host = PythonHost::confined().await?;
    host.enable_plugin("boxed", PLUGIN).await;
    Some(host)
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_work_goes_on() {
    let Some(host) = confined().await else { return };

    assert_eq!(host.call("pool", json!({})).await, Ok(json!([[0, 1, 4, 9], "hi\n"])));
    assert_eq!(host.call("scratch", json!({"text": "a"})).await, Ok(json!("a")));
    assert_eq!(
        host.call("scratch", json!({"text": "b"})).await,
        Ok(json!("ab")),
        "its scratch folder is kept"
    );
    assert_eq!(
        host.plugin("boxed").expect("it is known").tier.map(|tier| tier != gathering_core::Tier::Unconfined),
        Some(true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_namespaces_the_tools_of_a_root_server_are_let_into_its_closed_data_directory() {
    let python = PathBuf::from("/usr/bin/python3");
    if !rustix::process::geteuid().is_root() || !python.exists() {
        return println!("NOT RUN: root and a `/usr/bin/python3` are needed");
    }
    let with_python = |config: &mut gathering_runtime_python::PythonConfig| config.interpreter = Some(python);
    let Some(host) = PythonHost::confined_in(Some(Tier::Confined), with_python).await else { return };
    let data_dir = host.folder.path().join("data");
    fs::set_permissions(host.folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir_all(&data_dir).expect("it can be made");
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o700)).expect("it is ours");
    fs::write(data_dir.join("secret"), "CANARY-7f3a").expect("it can be written");
    fs::set_permissions(data_dir.join("secret"), fs::Permissions::from_mode(0o644)).expect("it is ours");

    host.enable_plugin("boxed", PLUGIN).await;

    assert_eq!(host.call("scratch", json!({"text": "a"})).await, Ok(json!("a")));
    assert!(host.call("read", json!({"path": data_dir.join("secret")})).await.is_err());
    let mode = fs::metadata(&data_dir).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o710, "others stay out, and the tools' user may not list it");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_can_neither_be_read_nor_written() {
    let Some(host) = confined().await else { return };
    let secret = host.folder.path().join("secret.txt");
    fs::write(&secret, "CANARY-7f3a").expect("it can be written");
    let own = host.plugins().join("boxed.py");

    let read = host.call("read", json!({"path": secret})).await.expect_err("it is not there for the plugin");
    let link = host.plugins().join("link.txt");
    std::os::unix::fs::symlink(&secret, &link).expect("it can be made");
    let through = host.call("read", json!({"path": link})).await.expect_err("nor through a link");
    let written =
        host.call("write", json!({"path": own, "text": "x"})).await.expect_err("its code is read-only");

    assert!(!format!("{read} {through}").contains("CANARY"));
    assert!(
        written.to_string().contains("OSError") || written.to_string().contains("PermissionError"),
        "{written}"
    );
    assert!(host.call("read", json!({"path": own})).await.is_ok(), "its own folder can be read");
    assert!(host.call("read", json!({"path": "/etc/shadow"})).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_granted_is_named_with_the_command_that_would_allow_it() {
    let Some(host) = confined().await else { return };
    let link = host.plugins().join("link");
    std::os::unix::fs::symlink("/etc/shadow", &link).expect("it can be made");

    for (path, seen) in [("/etc/shadow", "/etc/shadow"), ("/srv/none", "/srv/none"), ("link", "/etc/shadow")]
    {
        let path = host.plugins().join(path);
        let error = host.call("read", json!({"path": path})).await.expect_err("it is not granted");

        let expected = format!(
            "the plugin `boxed` may not read `{seen}`, and it does not ask for it; to allow it: add \
             {{\"read\":[\"{seen}\"]}} to its permissions, then `gathering plugins grant boxed read={seen}`"
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_would_see_the_servers_own_folder_is_not_run() {
    let Some(host) = confined().await else { return };
    // Beside the data directory, so that its own folder holds that.
    let path = host.folder.path().join("greedy.py");
    fs::write(&path, support::plugin("greedy", "")).expect("it can be written");

    let error = host.discover(Some(host.folder.path())).await.expect("the folder can be read").errors;

    let said = &error.first().expect("it is refused").message;
    assert!(said.contains("the server's data directory") && said.contains("lies in there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_network_and_no_other_process_and_no_environment() {
    let Some(host) = confined().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    listener.set_nonblocking(true).expect("it can be");
    let port = listener.local_addr().expect("it is bound").port();

    host.call("connect", json!({"port": port})).await.expect_err("there is nobody to connect to");

    assert!(listener.accept().is_err(), "nobody came");
    let names = host.call("environment", json!({})).await.expect("a list");
    assert_eq!(names, json!(["HOME", "LANG", "PATH", "TMPDIR"]));
    let own = u64::from(std::process::id());
    let seen = host.call("processes", json!({})).await;
    assert!(
        seen.is_err()
            || !seen.is_ok_and(|seen| seen.as_array().is_some_and(|list| list.contains(&json!(own))))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_held_for_one_process_and_for_all_of_them() {
    let Some(host) = confined().await else { return };

    let one = host.call("fill", json!({})).await.expect_err("it is too much");
    let many = host.call("children", json!({})).await.expect_err("so are many");

    assert!(one.to_string().contains("MemoryError") || one.code() == "worker_exited", "{one}");
    assert!(many.to_string().contains("it used more memory than it may"), "{many}");
    assert_eq!(host.call("scratch", json!({"text": "c"})).await, Ok(json!("c")), "the next call works");
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_is_held_for_all_files_together() {
    let Some(host) = confined().await else { return };

    let error = host.call("hoard", json!({})).await.expect_err("a limit");

    assert!(error.to_string().contains("see its limit `disk`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_call_that_was_stopped() {
    let Some(host) = confined().await else { return };
    let marker = format!("gath{}", std::process::id() % 100_000);

    host.call_for("daemon", json!({"marker": marker}), Duration::from_millis(700))
        .await
        .expect_err("no answer");
    assert!(host.call("environment", json!({})).await.is_ok(), "the next call works");

    assert!(!is_called(&marker), "the daemon is gone");
}

/// Whether a process with this name runs.
fn is_called(name: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("there is /proc");
    processes
        .flatten()
        .any(|entry| fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name))
}
