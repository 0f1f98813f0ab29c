//! Configuration, help and completions.

use crate::sandbox::Sandbox;

#[test]
fn a_wrong_configuration_is_refused_with_its_file_and_key() {
    let sandbox = Sandbox::new();
    let file = sandbox.path().join("gathering.toml");
    std::fs::write(&file, "[server]\nprot = 1").expect("it can be written");

    for arguments in [["plugins", "list"].as_slice(), &["serve"], &["config", "show"]] {
        let refused = sandbox.run(arguments);

        assert_eq!(refused.code, 2);
        assert_eq!(
            refused.err,
            format!(
                "error[invalid_configuration]: `{}`: there is no key `server.prot`, did you mean `server.port`?\n",
                file.display()
            )
        );
    }
}

#[test]
fn the_configuration_is_shown_with_where_it_comes_from() {
    let sandbox = Sandbox::new();
    let file = sandbox.path().join("gathering.toml");
    std::fs::write(&file, "[server]\nport = 1234").expect("it can be written");

    let text = sandbox.ok(&["config", "show"]);
    let json = sandbox.json(&["config", "show"]);

    assert!(text.contains(&format!("server.port = 1234  # `{}`", file.display())), "{text}");
    assert_eq!(json["settings"]["server.host"]["origin"], "default");
    assert_eq!(json["settings"]["data_dir"]["origin"], "the variable `GATHERING_DATA_DIR`");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let sandbox = Sandbox::new();

    assert_eq!(sandbox.run(&["plugins", "lst"]).code, 2);
    assert_eq!(sandbox.run(&["plugins", "list", "--server", "here"]).code, 2);
    assert_eq!(sandbox.run(&["execute", "calculate", "expression"]).code, 2);
    let bare = sandbox.run(&["execute", "calculate", "--json", "expression=1"]);
    assert_eq!(bare.code, 2);
    assert!(bare.err.contains("is written behind the arguments"), "{bare:?}");
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let sandbox = Sandbox::new();

    let refused = sandbox.run(&["plugins", "list", "--server", "http://127.0.0.1:9"]);

    assert_eq!(refused.code, 3);
    assert!(
        refused.err.starts_with("error[unreachable]: the server at http://127.0.0.1:9 does not answer: "),
        "{refused:?}"
    );
}

#[test]
fn help_has_examples_and_exit_codes_and_shells_get_completions() {
    let sandbox = Sandbox::new();

    assert!(sandbox.ok(&["--help"]).contains("Exit codes:"));
    assert!(sandbox.ok(&["execute", "--help"]).contains("Examples:"));
    assert!(sandbox.ok(&["completions", "bash"]).contains("_gathering"));
}
