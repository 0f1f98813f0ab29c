//! The configuration: its layers, and errors that name the place and the key.

use std::path::Path;
use std::time::Duration;

use gathering::config::{ConfigSources, Flag, ReadConfig};
use serde_json::json;

fn sources(file: &Path, variables: &[(&str, &str)]) -> ConfigSources {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ConfigSources { file: Some(file.to_owned()), variables, flags: Vec::new() }
}

/// What comes of a file with `text` and these variables.
fn read(text: &str, variables: &[(&str, &str)]) -> Result<ReadConfig, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gathering.toml");
    std::fs::write(&file, text).expect("it can be written");
    let read = sources(&file, variables).read();
    read.map_err(|error| error.to_string().replace(folder.path().to_str().expect("UTF-8"), "DIR"))
}

#[test]
fn flags_go_before_variables_before_the_file_before_the_defaults() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gathering.toml");
    std::fs::write(&file, "[server]\nport = 1\nhost = '::1'\n[limits]\ncall_timeout = '2m'\nqueue = 3")
        .unwrap();
    let variables = [("GATHERING_SERVER__PORT", "2"), ("GATHERING_LIMITS__QUEUE", "4")];
    let mut sources = sources(&file, &variables);
    sources.flags.push(Flag { name: "--port", key: "server.port", value: json!(3) });

    let read = sources.read().expect("all of it is fine");

    assert_eq!(read.config.server.port, 3);
    assert_eq!(read.config.limits.queue, 4);
    assert_eq!(read.config.server.host, "::1");
    assert_eq!(read.config.limits.call_timeout, Duration::from_secs(120));
    assert_eq!(read.config.limits.load_timeout, Duration::from_secs(120));
    let settings = read.settings();
    let origin = |key| settings.iter().find(|(known, ..)| known == key).expect("it is a setting").2.as_str();
    assert_eq!(origin("server.port"), "the flag `--port`");
    assert_eq!(origin("limits.queue"), "the variable `GATHERING_LIMITS__QUEUE`");
    assert_eq!(origin("server.host"), format!("`{}`", file.display()));
    assert_eq!(origin("limits.max_output"), "default");
}

#[test]
fn an_error_names_the_place_the_key_and_what_is_expected() {
    let error = |text, variables| read(text, variables).expect_err("it is wrong");

    assert_eq!(
        error("[server]\nprot = 1", &[]),
        "`DIR/gathering.toml`: there is no key `server.prot`, did you mean `server.port`?"
    );
    assert_eq!(
        error("port = 1", &[]),
        "`DIR/gathering.toml`: there is no key `port`, did you mean `server.port`?"
    );
    assert_eq!(
        error("[server]\nport = 70000", &[]),
        "`DIR/gathering.toml`: `server.port` cannot be taken: \
         found signed int `70000`, expected a whole number from 0 to 65535"
    );
    assert_eq!(
        error("plugins = 3", &[]),
        "`DIR/gathering.toml`: `plugins` cannot be taken: found signed int `3`, expected a table"
    );
    assert_eq!(
        error("", &[("GATHERING_SERVER__PORT", "many")]),
        "the variable `GATHERING_SERVER__PORT`: `server.port` cannot be taken: \
         found string \"many\", expected a whole number from 0 to 65535"
    );
    assert_eq!(
        error("", &[("GATHERING_PLUGINS__ENABLE", "core")]),
        "the variable `GATHERING_PLUGINS__ENABLE`: `plugins.enable` cannot be taken: \
         found string \"core\", expected a list such as [\"a\", \"b\"]"
    );
    assert_eq!(
        error("[limits]\nqueue = 1\ncall_timeout = 'soon'", &[]),
        "`DIR/gathering.toml`: `limits.call_timeout` cannot be taken: found string \"soon\", \
         expected a number of seconds, or a text such as `30s`, `500ms`, `2m`, `1h` or `30d`"
    );
    assert_eq!(
        error("[log]\nformat = 'xml'", &[]),
        "`DIR/gathering.toml`: `log.format` cannot be taken: it is `xml`, and can be text or json"
    );
    assert!(
        error("[server\nport", &[]).starts_with("the configuration file `DIR/gathering.toml` is not TOML: ")
    );
}

#[test]
fn what_plugins_are_allowed_is_read_and_its_errors_name_the_plugin() {
    let allowed =
        read("[plugins.permissions.weather]\nnetwork = ['api.example.com']\nlimits.memory = '2GiB'", &[]);
    let permissions = &allowed.as_ref().expect("it is fine").config.plugins.permissions["weather"];
    assert_eq!(permissions.to_words(), ["network=api.example.com", "memory=2GiB"]);
    let settings = allowed.as_ref().expect("it is fine").settings();
    let origin = settings.iter().find(|(key, ..)| key == "plugins.permissions.weather.network");
    assert!(origin.expect("it is a setting").2.ends_with("gathering.toml`"));

    assert_eq!(
        read("[plugins.permissions.weather]\nread = 'data'", &[]).expect_err("it is wrong"),
        "`DIR/gathering.toml`: `plugins.permissions.weather` cannot be taken: \
         the path `data` cannot be taken: it must be absolute, or begin with `~/`"
    );
    assert_eq!(
        read("[plugins.permissions.weather]\nfiles = ['/data']", &[]).expect_err("it is wrong"),
        "`DIR/gathering.toml`: there is no key `plugins.permissions.weather.files`"
    );
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let missing = Path::new("/nowhere/gathering.toml");

    let error = sources(missing, &[]).read().unwrap_err().to_string();
    let by_variable = ConfigSources {
        variables: [("GATHERING_CONFIG".to_owned(), "/nowhere/g.toml".to_owned())].into(),
        ..ConfigSources::default()
    };

    assert!(
        error.starts_with("the configuration file `/nowhere/gathering.toml` cannot be read: "),
        "{error}"
    );
    assert!(by_variable.read().unwrap_err().to_string().contains("`/nowhere/g.toml`"));
}

#[test]
fn the_file_of_the_user_is_found_where_xdg_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gathering/gathering.toml");
    std::fs::create_dir(file.parent().expect("a parent")).unwrap();
    std::fs::write(&file, "[server]\nport = 1").unwrap();
    let home = folder.path().to_str().expect("UTF-8").to_owned();

    let variables = [("XDG_CONFIG_HOME".to_owned(), home.clone()), ("XDG_DATA_HOME".to_owned(), home)].into();
    let read = ConfigSources { variables, ..ConfigSources::default() }.read().expect("it is fine");

    assert_eq!(read.file, Some(file));
    assert_eq!(read.config.data_dir, Some(folder.path().join("gathering")));
}

#[test]
fn paths_of_a_file_are_relative_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gathering.toml");
    let text = "data_dir = 'data'\n[plugins]\ndirectories = ['mine', '/theirs', '~/home']\n[python]\ninterpreter = 'python3'\n\
                [sandbox]\nlauncher = 'bin/gathering'";
    std::fs::write(&file, text).unwrap();

    let config = sources(&file, &[("HOME", "/h")]).read().expect("it is fine").config;

    assert_eq!(config.data_dir, Some(folder.path().join("data")));
    assert_eq!(config.plugins.directories, [folder.path().join("mine"), "/theirs".into(), "/h/home".into()]);
    assert_eq!(config.python.interpreter, Some("python3".into()), "a bare name is looked for on PATH");
    assert_eq!(config.sandbox.launcher, Some(folder.path().join("bin/gathering")));
}

#[test]
fn variables_that_only_look_like_ours_are_warned_of() {
    let variables = [
        ("GATHERING_SERVICE_HOST", "10.0.0.1"),
        ("GATHERING_SERVER_PORT", "80"),
        ("GATHERING_LOG", "debug"),
        ("GATHERING_SECRET_API_KEY", "sk-0123"),
        ("GATHERING_PLUGINS__CONFIG__CORE__BASE_PATH", "/tmp"),
        ("GATHERING_SANDBOX__TIER", "confined"),
    ];

    let read = read("", &variables).expect("none of them is wrong");

    assert_eq!(
        read.warnings,
        [
            "the variable `GATHERING_SERVER_PORT` sets nothing, did you mean `GATHERING_SERVER__PORT`?",
            "the variable `GATHERING_SERVICE_HOST` sets nothing, did you mean `GATHERING_SERVER__HOST`?"
        ]
    );
    assert_eq!(read.config.plugins.config["core"]["base_path"], "/tmp");
    assert_eq!(read.config.sandbox.tier.map(|tier| tier.to_string()), Some("confined".into()));
}
