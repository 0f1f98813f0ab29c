//! Permissions and secrets on the command line.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::sandbox::{Ran, Sandbox};

const PLUGIN: &str = r#"# /// script
# [tool.gathering.permissions]
# network = ["*.example.com"]
# secrets = ["API_KEY"]
# ///
import os
from gathering.core.tool_registry import ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


class Asking(Plugin):
    metadata = property(lambda self: PluginMetadata("asking", "Asking", "1.0.0", "Asks"))

    def register_tools(self):
        return [ToolDefinition("key", "Tells its key", "utility", lambda: f"key {os.environ.get('API_KEY')}")]
"#;

fn with_plugin() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    let plugins = sandbox.data_dir().join("plugins");
    std::fs::create_dir_all(&plugins).expect("it can be made");
    std::fs::write(plugins.join("asking.py"), PLUGIN).expect("it can be written");
    sandbox.has_python().then_some(sandbox)
}

/// Runs the binary with `input` on its standard input.
fn with_input(sandbox: &Sandbox, arguments: &[&str], input: &str) -> Ran {
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    // One that refuses its arguments does not read.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends").into()
}

/// The cells of the row that begins with `first`.
fn row<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(first));
    row.unwrap_or_else(|| panic!("{table}")).split_whitespace().collect()
}

#[test]
fn permissions_are_shown_with_the_command_that_allows_what_is_missing() {
    let Some(sandbox) = with_plugin() else { return };
    sandbox.ok(&["plugins", "load", "asking", "--enable"]);

    let before = sandbox.ok(&["plugins", "permissions", "asking"]);
    assert_eq!(row(&before, "PERMISSION"), ["PERMISSION", "ASKED", "ALLOWED", "EFFECTIVE"]);
    assert_eq!(row(&before, "secret=API_KEY"), ["secret=API_KEY", "yes", "-", "-"]);
    assert!(
        before.ends_with(
            "\nIt asks for more than it is allowed. To allow it:\n  \
             gathering plugins grant asking 'network=*.example.com' secret=API_KEY\n"
        ),
        "{before}"
    );

    assert_eq!(
        sandbox.ok(&["plugins", "grant", "asking", "network=*.example.com", "secret=API_KEY"]),
        "Plugin 'asking': granted network=*.example.com secret=API_KEY; it was reloaded, and no call was lost\n"
    );
    let after = sandbox.ok(&["plugins", "permissions", "asking"]);
    assert_eq!(row(&after, "secret=API_KEY"), ["secret=API_KEY", "yes", "granted", "yes"]);
    assert!(!after.contains("To allow it"), "{after}");
    assert_eq!(
        sandbox.ok(&["plugins", "revoke", "asking", "network=*.example.com"]),
        "Plugin 'asking': revoked network=*.example.com; it was reloaded, and no call was lost\n"
    );
    let refused = sandbox.run(&["plugins", "revoke", "asking", "network=*.example.com"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.starts_with("error[not_granted]: "), "{refused:?}");
    let wrong = sandbox.run(&["plugins", "grant", "asking", "https://example.com"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("expected one such as `read=/data`"), "{wrong:?}");
}

#[test]
fn a_secret_is_read_from_standard_input_and_never_shown() {
    let sandbox = Sandbox::new();

    let set = with_input(&sandbox, &["secrets", "set", "API_KEY"], "sk-0123456789\n");
    assert_eq!(set.code, 0, "{set:?}");
    let listed = sandbox.json(&["secrets", "list"]);
    assert_eq!(listed["secrets"], serde_json::json!([{"name": "API_KEY", "place": "file"}]));
    let file = sandbox.data_dir().join("secrets.json");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).expect("it is ours").contains("\"sk-0123456789\""), "no newline");
    assert!(!format!("{set:?}{listed}").contains("sk-0123456789"));

    let short = with_input(&sandbox, &["secrets", "set", "PIN"], "1234\n");
    assert_eq!(short.code, 2);
    assert!(
        short.err.contains("could not be hidden from results") && !short.err.contains("1234"),
        "{short:?}"
    );
    let in_arguments = sandbox.run(&["secrets", "set", "API_KEY", "sk-0123456789"]);
    assert_eq!(in_arguments.code, 2, "a value is no argument");
    let to_server =
        with_input(&sandbox, &["secrets", "set", "A_KEY", "--server", "http://127.0.0.1:1"], "sk-0123\n");
    assert!(to_server.err.contains("sent to no server"), "{to_server:?}");

    assert_eq!(sandbox.ok(&["secrets", "remove", "API_KEY"]), "Secret 'API_KEY' removed\n");
    assert_eq!(sandbox.run(&["secrets", "remove", "API_KEY"]).code, 4);
    assert!(sandbox.ok(&["secrets", "list"]).starts_with("there are no secrets"));
}

#[test]
fn a_running_server_tells_a_new_secret_to_the_plugin_that_is_granted_it() {
    let Some(sandbox) = with_plugin() else { return };
    let _server = sandbox.serve(&[]);
    sandbox.ok(&["plugins", "load", "asking", "--enable"]);
    assert_eq!(sandbox.ok(&["execute", "key"]), "key None\n");

    assert_eq!(with_input(&sandbox, &["secrets", "set", "API_KEY"], "sk-0123456789").code, 0);
    sandbox.ok(&["plugins", "grant", "asking", "secret=API_KEY"]);

    assert_eq!(sandbox.ok(&["execute", "key"]), "key ***\n");
}
