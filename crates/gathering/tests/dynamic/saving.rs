//! Saving a plugin, and that the saved file behaves the same.

use gathering::{Caller, Dependencies, PluginAuthor};
use serde_json::{Value, json};

use crate::support::{House, greeter};

/// A plugin whose code and texts hold everything that could be escaped wrongly.
fn difficult() -> Value {
    let code = "\"\"\"Doc \\\"\"\"\"\r\n# coding: latin-1\n# /// script\n# dependencies = []\n# ///\nTEXT = '''a\\n\\'''\"\"\"'''\n\
                def tell(quoted: str = \"a'b\\\"c\\\\\", kind=\"\\u202eé\") -> dict:\n\t\"\"\"Tells \\\\ \"everything\".\"\"\"\n\
                \timport inspect\n\treturn {'text': TEXT, 'quoted': quoted, 'kind': kind, 'name': __name__,\n\
                \t        'source': inspect.getsource(tell), 'config': config}\n# the end \u{202e} \u{c} \u{2028} x\"\"\"";
    json!({
        "plugin_id": "diff-icult",
        "name": "D\"iff\\icult\n# coding: x",
        "description": "\"\"\" \\ ''' \u{202e} é \u{1f600}\n# /// script\r\n\tx\"",
        "version": "1.0.0",
        "config": {"a\"b": [1, 2.5, null, true, "\\"]},
        "tools": [{"name": "tell", "code": code, "description": "\"quoted\" \\", "examples": ["tell()", "no \"\"\" call \\"]}],
    })
}

#[tokio::test]
async fn a_saved_plugin_is_discovered_elsewhere_and_answers_the_same_byte_for_byte() {
    let (Some(house), Some(other)) = (House::new().await, House::new().await) else { return };
    house.create(difficult()).await.expect("it can be made");
    let answer = house.call("tell", json!({})).await.expect("it answers");

    let saved = house.gathering.dynamic().save(Caller::Operator, "diff-icult".into(), None, false).await;
    let saved = saved.expect("it can be saved");
    std::fs::copy(&saved, other.gathering.data_dir().plugins().join("renamed.py")).expect("it can be copied");
    let found = other.gathering.host().discover(None).await.expect("the folder can be read");
    other.gathering.host().load("diff-icult", None, Dependencies::LoadToo).await.expect("it loads");

    assert_eq!(saved, house.gathering.data_dir().plugins().join("diff-icult.py"));
    assert_eq!((found.discovered.len(), found.errors), (1, Vec::new()));
    let again = other.call("tell", json!({})).await.expect("it answers");
    assert_eq!(answer.to_string(), again.to_string());
    let source = answer["source"].as_str().expect("a text");
    assert!(
        source.starts_with("def tell(quoted: str = \"a'b\\\"c\\\\\", kind=\"\\u202eé\") -> dict:\n"),
        "{source}"
    );
    let tool = |house: &House| {
        let snapshot = house.gathering.host().snapshot();
        let tool = snapshot.tools().get("tell").expect("it is registered").definition().clone();
        serde_json::to_value(&*tool).expect("it has a form in JSON")
    };
    assert_eq!(tool(&house), tool(&other));
    let info = |house: &House| house.gathering.host().plugin("diff-icult").expect("it is known").metadata;
    assert_eq!(info(&house), info(&other));
    assert_eq!(info(&house).description, difficult()["description"].as_str().unwrap_or_default());
}

#[tokio::test]
async fn a_saved_copy_is_no_second_plugin_and_takes_over_when_the_first_is_removed() {
    let Some(house) = House::new().await else { return };
    let dynamic = house.gathering.dynamic();
    house.create(greeter()).await.expect("it can be made");
    dynamic.save(Caller::Operator, "greeter".into(), None, false).await.expect("it can be saved");

    let beside = house.gathering.host().discover(None).await.expect("the folder can be read");
    dynamic.remove(Caller::Operator, "greeter".into(), false).await.expect("it can be removed");
    let alone = house.gathering.host().discover(None).await.expect("the folder can be read");
    house.gathering.host().load("greeter", None, Dependencies::LoadToo).await.expect("it loads");

    assert_eq!((beside.errors, beside.discovered[0].new), (Vec::new(), false));
    assert!(alone.discovered[0].new);
    assert_eq!(house.call("greet", json!({"name": "World"})).await, Ok(json!("Hello, World!")));
}

#[tokio::test]
async fn it_is_saved_in_plugin_folders_only_and_over_nothing_unless_told() {
    let Some(house) = House::new().await else { return };
    house.create(greeter()).await.expect("it can be made");
    let plugins = house.gathering.data_dir().plugins();
    let save = async |path: &std::path::Path, overwrite| {
        let path = Some(path.to_owned());
        house.gathering.dynamic().save(Caller::Operator, "greeter".into(), path, overwrite).await
    };
    let elsewhere = house.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("it can be made");
    std::os::unix::fs::symlink(&elsewhere, plugins.join("link")).expect("it can be made");
    std::os::unix::fs::symlink(elsewhere.join("victim.py"), plugins.join("linked.py"))
        .expect("it can be made");

    let outside = save(&elsewhere.join("greeter.py"), false).await.expect_err("it is outside");
    assert_eq!(
        outside.to_string(),
        format!(
            "a plugin cannot be saved as `{}`: it must lie in a plugin folder: `{}`",
            elsewhere.join("greeter.py").display(),
            plugins.display()
        )
    );
    for bad in ["link/greeter.py", "../greeter.py", "greeter.txt", "_greeter.py", ".py", "missing/greeter.py"]
    {
        let error = save(&plugins.join(bad), true).await.expect_err(bad);
        assert_eq!(error.code(), "invalid_path", "{bad}: {error}");
    }
    save("hello.py".as_ref(), false).await.expect("a name is one in the plugin folder");
    let again = save(&plugins.join("hello.py"), false).await.expect_err("it is there");
    save(&plugins.join("hello.py"), true).await.expect("it is told to");
    save(&plugins.join("linked.py"), true).await.expect("the link is replaced");

    assert_eq!(again.code(), "file_exists");
    assert!(!elsewhere.join("victim.py").exists());
    let mut names: Vec<_> = std::fs::read_dir(&plugins)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["hello.py", "link", "linked.py"]);
}
