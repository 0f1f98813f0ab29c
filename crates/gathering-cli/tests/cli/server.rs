//! The server: one per data directory, stopped in order, and nothing lost when it is killed.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::sandbox::{Sandbox, Server};

#[test]
fn a_second_server_on_the_data_directory_is_refused() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);

    let second = sandbox.run(&["serve", "--port", "0"]);
    let port = server.url.rsplit(':').next().expect("it has a port");
    let on_its_port = sandbox.run(&["serve", "--port", port]);

    for refused in [second, on_its_port] {
        assert_eq!(refused.code, 3);
        assert_eq!(
            refused.err,
            format!(
                "error[in_use]: the data directory `{}` is in use by the server at {} (process {}): \
                 stop it, or choose another one\n",
                sandbox.data_dir().display(),
                server.url,
                server.child.id()
            )
        );
    }
}

#[test]
fn a_port_that_is_taken_is_told() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("it is bound").port().to_string();

    let refused = sandbox.run(&["serve", "--port", &port]);

    assert_eq!(refused.code, 1);
    assert!(
        refused.err.starts_with(&format!("error[listen]: cannot listen on 127.0.0.1 port {port}: ")),
        "{refused:?}"
    );
    assert!(refused.err.contains("--port 0 takes a free port"), "{refused:?}");
}

#[test]
fn an_address_that_others_reach_is_refused_until_a_token_is_required() {
    let sandbox = Sandbox::new();

    let refused = sandbox.run(&["serve", "--host", "0.0.0.0", "--port", "0"]);

    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("require the operator's token with `server.require_token = true`"),
        "{refused:?}"
    );
}

#[test]
fn a_signal_stops_it_in_order() {
    for signal in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let mut server = sandbox.serve(&[]);
        assert!(sandbox.data_dir().join("server.json").exists());

        server.signal(signal);
        let status = server.child.wait().expect("it ends");

        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(!sandbox.data_dir().join("server.json").exists(), "its address is forgotten");
        assert_eq!(
            sandbox.ok(&["execute", "calculate", "expression=1 + 1"]),
            "2\n",
            "the data directory is free"
        );
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_a_restart() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.serve(&[]);
    sandbox.ok(&["plugins", "disable", "core"]);

    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");

    let status = || sandbox.json(&["plugins", "info", "core"])["status"].clone();
    assert_eq!(status(), "disabled", "without a server");
    let mut again = sandbox.serve(&[]);
    assert_eq!(status(), "disabled", "on the next server");
    sandbox.ok(&["plugins", "enable", "core"]);
    again.signal("TERM");
    again.child.wait().expect("it ends");
    let _third = sandbox.serve(&[]);
    assert_eq!(status(), "enabled");
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    // It stands still, and whoever takes its port in the meantime cannot be told from here: so another address is
    // announced in its name.
    let unused = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it is bound");
    let announced = format!("{{\"url\": \"http://{unused}\", \"pid\": {}}}", server.child.id());
    std::fs::write(sandbox.data_dir().join("server.json"), announced).expect("it can be written");

    let refused = sandbox.run(&["plugins", "list"]);

    assert_eq!(refused.code, 3);
    let expected = format!(
        "is held by the server at http://{unused}, process {}, which does not answer",
        server.child.id()
    );
    assert!(refused.err.contains(&expected), "{refused:?}");
}

/// Puts a plugin into the sandbox whose tool `wait` opens the pipe `begun` and then takes `seconds`.
fn write_slow_plugin(sandbox: &Sandbox) {
    let folder = sandbox.path().join("mine");
    std::fs::create_dir(&folder).expect("it can be made");
    let text = r#"
import time
from gathering.plugins.base import Plugin, PluginMetadata
from gathering.core.tool_registry import ToolDefinition, ToolCategory

def wait(begun, seconds):
    open(begun, "w").close()
    time.sleep(seconds)
    return "done"

class Slow(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="slow", name="Slow", version="1.0.0", description="Takes its time")

    def register_tools(self):
        return [ToolDefinition(name="wait", description="Takes its time", category=ToolCategory.CUSTOM, function=wait,
                               parameters={"begun": {"type": "string"}, "seconds": {"type": "number"}})]
"#;
    std::fs::write(folder.join("slow.py"), text).expect("it can be written");
}

/// A server with a call in flight that takes so many seconds.
fn serve_slow_call(sandbox: &Sandbox, seconds: &str) -> (Server, Child) {
    write_slow_plugin(sandbox);
    let server = sandbox.serve(&["--plugin-dir", "mine", "--enable", "slow"]);
    // In the plugin's scratch folder, which is what it may write.
    let pipe = sandbox.data_dir().join("scratch/slow/begun");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo");
    assert!(made.success());
    let (begun, seconds) = (format!("begun={}", pipe.display()), format!("seconds={seconds}"));
    let mut call = sandbox.command(&["execute", "wait", &begun, &seconds]);
    let call = call.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
    // Reading ends when the tool has opened the pipe and closed it again.
    std::fs::read(&pipe).expect("the tool begins");
    (server, call)
}

#[test]
fn a_call_in_flight_ends_before_the_server_does() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let (mut server, call) = serve_slow_call(&sandbox, "0.5");

    server.signal("TERM");

    let call = call.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&call.stdout), "done\n");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let (mut server, call) = serve_slow_call(&sandbox, "3600");

    server.signal("INT");
    // It takes no new calls: so the first signal has arrived.
    while sandbox.run(&["execute", "calculate", "expression=1"]).code == 0 {}
    server.signal("INT");

    assert_eq!(server.child.wait().expect("it ends").code(), Some(130));
    assert_eq!(call.wait_with_output().expect("it ends").status.code(), Some(3));
}
