//! Finding plugin files: what they say of themselves is learnt, and a broken one hides no other.

mod support;

use support::{PythonHost, plugin};

/// A plugin as the earlier of the two source documents writes it, with packages that it imports at the top.
const EARLIER_STYLE: &str = r#"
from a_package_that_is_not_here import something
from gathering.plugins.base import Plugin, PluginMetadata


class Needy(Plugin):
    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            id="needy",
            name="Needy",
            version="1.0.0",
            description="Imports what is not installed yet",
            author="Somebody",
            requires=["a-package-that-is-not-here>=1.0"],
        )

    def register_tools(self, tool_registry):
        pass
"#;

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_found_in_files_and_packages_and_hidden_names_are_not_looked_at() {
    let host = PythonHost::new();
    host.write("image_tools.py", &plugin("image_tools", ""));
    host.write("finance/__init__.py", "from .tools import ThePlugin\nplugin_class = ThePlugin\n");
    host.write("finance/tools.py", &plugin("finance", ""));
    host.write("_internal/__init__.py", "raise RuntimeError('imported')");
    host.write("_helpers.py", "raise RuntimeError('imported')");
    host.write(".hidden.py", "raise RuntimeError('imported')");
    host.write("notes.txt", "no plugin");
    host.write("data/values.csv", "1,2");

    let found = host.discover(Some(&host.plugins())).await.expect("the folder can be read");

    let ids: Vec<_> = found.discovered.iter().map(|found| found.plugin_id.as_str()).collect();
    assert_eq!(ids, ["finance", "image_tools"]);
    assert_eq!(found.errors, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_file_is_reported_with_its_error_and_hides_no_other() {
    let host = PythonHost::new();
    host.write("good.py", &plugin("good", ""));
    host.write("syntax.py", "class Broken(:\n");
    host.write("raises.py", "raise ValueError('not today')\n");
    host.write("nothing.py", "x = 1\n");
    host.write("twice.py", &(plugin("one", "") + &plugin("two", "").replace("ThePlugin", "Other")));
    host.write(
        "unfinished.py",
        "from gathering.plugins import Plugin\nclass Unfinished(Plugin):\n    pass\n",
    );
    host.write("exits.py", "import sys\nsys.exit(3)\n");
    host.write("dies.py", "import os\nos._exit(7)\n");
    host.write("bad_id.py", &plugin("not a name", ""));
    host.write("binary.py", "\u{0}\u{0}");
    host.write("needs.py", "import a_package_that_is_not_here\n");

    let found = host.discover(Some(&host.plugins())).await.expect("the folder can be read");

    let ids: Vec<_> = found.discovered.iter().map(|found| found.plugin_id.as_str()).collect();
    assert_eq!(ids, ["good"]);
    let errors: Vec<_> = found
        .errors
        .iter()
        .map(|error| {
            (error.path.file_name().unwrap_or_default().to_str().unwrap_or_default(), error.message.as_str())
        })
        .collect();
    for (file, message) in [
        ("syntax.py", "syntax.py, line 1: SyntaxError: invalid syntax"),
        ("raises.py", "ValueError: not today"),
        ("nothing.py", "it defines no subclass of gathering.plugins.Plugin, and no `plugin_class`"),
        (
            "twice.py",
            "it defines several Plugin subclasses (`ThePlugin`, `Other`): say which with `plugin_class = ...`",
        ),
        ("unfinished.py", "`Unfinished` is not complete: it must define metadata"),
        ("exits.py", "it called sys.exit(3) while it was loaded"),
        ("dies.py", "its process ended (exit code 7)"),
        ("bad_id.py", "`not a name` is not a plugin id"),
        ("binary.py", "source code string cannot contain null bytes"),
        (
            "needs.py",
            "ModuleNotFoundError: No module named 'a_package_that_is_not_here'; if it is a package, name it",
        ),
    ] {
        let said = errors.iter().find(|(name, _)| *name == file).map(|(_, said)| *said);
        assert!(said.is_some_and(|said| said.contains(message)), "{file}: {said:?}");
    }
    assert_eq!(errors.len(), 10, "{errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_whose_packages_are_not_installed_yet_is_known_by_what_its_file_says() {
    let host = PythonHost::new();
    host.write("needy.py", EARLIER_STYLE);

    let found = host.discover(Some(&host.plugins())).await.expect("the folder can be read");

    assert_eq!(found.errors, []);
    let metadata = host.plugin("needy").expect("it is known").metadata;
    assert_eq!(metadata.python_dependencies, ["a-package-that-is-not-here>=1.0"]);
    assert_eq!(metadata.author, "Somebody");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_again_runs_only_what_has_changed() {
    let host = PythonHost::new();
    let counter = host.folder.path().join("imports");
    let text = plugin("counted", "") + &format!("\nwith open({counter:?}, 'a') as f:\n    f.write('x')\n");
    host.write("counted.py", &text);
    host.discover(Some(&host.plugins())).await.expect("the folder can be read");
    host.discover(Some(&host.plugins())).await.expect("the folder can be read");
    assert_eq!(std::fs::read_to_string(&counter).expect("it was imported"), "x");

    host.write("counted.py", &text.replace("1.0.0", "1.1.0"));
    let found = host.discover(Some(&host.plugins())).await.expect("the folder can be read");

    assert_eq!(std::fs::read_to_string(&counter).expect("it was imported"), "xx");
    assert_eq!(found.discovered[0].version, "1.1.0");
    assert!(!found.discovered[0].new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_ends_to_import_is_given_up() {
    let host = PythonHost::new();
    let limits = gathering_host::Limits {
        load_timeout: std::time::Duration::from_millis(500),
        ..gathering_host::Limits::default()
    };
    let impatient = gathering_host::Host::builder().runtime(host.runtime.clone()).limits(limits).build();
    host.write("endless.py", "while True:\n    pass\n");

    let found = impatient.discover(Some(&host.plugins())).await.expect("the folder can be read");

    // The runtime's clock and the host's run out together.
    let said = &found.errors[0].message;
    assert!(said.contains("it was not ready after") || said.contains("did not describe itself"), "{said}");
    // Perhaps not even the folder was made.
    let left: Vec<_> =
        std::fs::read_dir(host.folder.path().join("data/scratch")).into_iter().flatten().collect();
    assert!(left.is_empty(), "nothing is left of it: {left:?}");
}
