//! A plugin that was written by `gathering new` works as it is.

use std::path::Path;
use std::process::Command;

use crate::sandbox::Sandbox;

#[test]
fn a_new_plugin_and_its_tests_work() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }

    let written = sandbox.json(&["new", "plugin", "Hello-world"]);

    let steps: Vec<&str> =
        written["next"].as_array().expect("a list").iter().filter_map(|step| step.as_str()).collect();
    let [test, discover, load, execute] = steps.as_slice() else { panic!("{written}") };
    let tested = Command::new("sh").args(["-c", test]).output().expect("there is a shell");
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    let words = |line: &str| line.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let run = |line: &str| {
        let words = words(line);
        sandbox.ok(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(run(discover).contains("Hello-world"));
    assert_eq!(run(load), "Plugin 'Hello-world' enabled\n");
    assert!(run(execute).contains("\"text\": \"Hello, Ada!\""));
}

#[test]
fn a_python_plugin_lives_through_everything_on_a_server() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let folder = sandbox.path().join("mine");
    let folder_text = folder.to_str().expect("text");
    let written = sandbox.json(&["new", "plugin", "hello", "--dir", folder_text]);
    let file = Path::new(written["plugin"].as_str().expect("a path"));
    let mut server = sandbox.serve(&["--plugin-dir", folder_text, "--enable", "hello"]);

    let greet = || sandbox.json(&["execute", "hello_greet", "name=Ada", "times=2"])["result"].clone();
    assert_eq!(
        (greet()["greeted"].clone(), greet()["greeted"].clone()),
        (2.into(), 4.into()),
        "its state is kept"
    );
    let text = std::fs::read_to_string(file).expect("it was written").replace("\"Hello\"", "\"Good day\"");
    std::fs::write(file, text).expect("it can be written");
    sandbox.ok(&["plugins", "reload", "hello"]);
    assert_eq!(greet()["text"], "Good day, Ada! Good day, Ada!");
    let wrong = sandbox.run(&["execute", "hello_greet", "name=Ada", "times=many"]);
    assert_eq!(wrong.code, 2);
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");

    assert_eq!(greet()["text"], "Good day, Ada! Good day, Ada!", "it is back without a server");
    sandbox.ok(&["plugins", "unload", "hello"]);
    assert_eq!(sandbox.run(&["execute", "hello_greet", "name=Ada"]).code, 4);
}

#[test]
fn nothing_is_overwritten_and_a_bad_name_is_refused_with_the_rule() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["new", "plugin", "hello"]);

    let again = sandbox.run(&["new", "plugin", "hello"]);
    let bad = sandbox.run(&["new", "plugin", "1st"]);

    assert_eq!(again.code, 1);
    assert!(again.err.contains("is there already"), "{again:?}");
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("it takes a letter, then letters, digits"), "{bad:?}");
}

#[test]
fn a_broken_file_is_told_and_hides_no_other() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    sandbox.ok(&["new", "plugin", "hello"]);
    std::fs::write(sandbox.data_dir().join("plugins/broken.py"), "def (:\n").expect("it can be written");

    let found = sandbox.run(&["plugins", "discover"]);

    assert_eq!(found.code, 1, "a script learns of it");
    assert!(found.out.contains("hello") && found.out.contains("broken  "), "{found:?}");
}

#[test]
fn the_author_of_a_plugin_sees_where_it_failed() {
    let sandbox = Sandbox::new();
    if !sandbox.has_python() {
        return;
    }
    let written = sandbox.json(&["new", "plugin", "hello"]);
    let file = written["plugin"].as_str().expect("a path");
    let text = std::fs::read_to_string(file).expect("it was written");
    std::fs::write(file, text.replace("self.greeted = 0", "self.greeted = 1 / 0"))
        .expect("it can be written");

    let short = sandbox.run(&["plugins", "load", "hello"]);
    let long = sandbox.run(&["plugins", "load", "hello", "--verbose"]);

    assert_eq!((short.code, long.code), (1, 1));
    assert!(
        short.err.contains("ZeroDivisionError") && short.err.contains("--verbose shows where"),
        "{short:?}"
    );
    assert!(long.err.contains("self.greeted = 1 / 0"), "{long:?}");
}
