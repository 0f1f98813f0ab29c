//! Skills of configured folders and of Python plugins, over a restart.

use std::fs;
use std::path::Path;

use gathering::{CallOptions, Caller, Config, Dependencies, GatheRing, NewAgent, ToolError};
use serde_json::{Value, json};

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

async fn open(folder: &Path, skills: bool) -> GatheRing {
    let mut config = Config { data_dir: Some(folder.join("data")), ..Config::default() };
    config.plugins.directories = vec![folder.join("plugins")];
    config.skills.directories = if skills { vec![folder.join("skills")] } else { Vec::new() };
    GatheRing::open(config).await.expect("it can be opened")
}

async fn read_skill(gathering: &GatheRing, caller: &Caller, arguments: Value) -> Result<Value, ToolError> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let host = gathering.host();
    host.execute(caller.clone(), "read_skill", arguments, CallOptions::default())
        .await
        .outcome
        .map(|output| output.value)
}

#[tokio::test]
async fn a_configured_folders_skills_are_there_from_the_start_until_it_is_configured_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        &folder.path().join("skills/forms/SKILL.md"),
        "---\nname: forms\ndescription: Fills forms in.\n---\nPress hard.\n",
    );
    fs::create_dir(folder.path().join("plugins")).expect("it can be made");
    let gathering = open(folder.path(), true).await;
    assert_eq!(gathering.problems(), [""; 0]);
    let wanted: NewAgent = serde_json::from_value(json!({"name": "ada"})).expect("a good request");
    let made = gathering.agents().create(wanted).await.expect("it can be made");
    let caller = |gathering: &GatheRing| gathering.agents().by_token(&made.token).expect("it is known");

    let refused = read_skill(&gathering, &caller(&gathering), json!({"name": "forms"})).await.unwrap_err();
    gathering.agents().grant("ada", &["forms".into()]).await.expect("it is known");
    let read = read_skill(&gathering, &caller(&gathering), json!({"name": "forms"})).await;
    gathering.shutdown().await;
    let gathering = open(folder.path(), true).await;
    let again = read_skill(&gathering, &caller(&gathering), json!({"name": "forms"})).await;
    gathering.shutdown().await;
    let gathering = open(folder.path(), false).await;

    assert!(refused.to_string().contains("`gathering agents grant ada forms`"), "{refused}");
    assert_eq!(read, Ok(json!({"text": "Press hard.\n", "files": []})));
    assert_eq!(again, read);
    assert!(gathering.host().plugin("forms").is_err() && gathering.host().plugin("core").is_ok());
    gathering.shutdown().await;
}

const PACKAGE: &str = r#"
from gathering.plugins.base import Plugin, PluginMetadata
from gathering.core.competency_registry import CompetencyDefinition, CompetencyCategory, CompetencyLevel

class Forms(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="forms_plugin", name="Forms", version="1.0.0", description="Forms")

    def register_tools(self):
        return []

    def register_competencies(self):
        return [CompetencyDefinition(id="base", name="Base", description="What forms build on",
                                     category=CompetencyCategory.CUSTOM, level=CompetencyLevel.NOVICE)]
"#;

#[tokio::test]
async fn a_python_package_brings_the_skills_in_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("plugins/forms_plugin");
    write(&package.join("__init__.py"), PACKAGE);
    let skill = "---\nname: forms\ndescription: Fills forms in.\nprerequisites: [base]\n---\nPress hard.\n";
    write(&package.join("skills/forms/SKILL.md"), skill);
    let gathering = open(folder.path(), false).await;
    if let Err(error) = gathering.python().interpreter().await {
        println!("NOT RUN: {error}");
        return;
    }
    let host = gathering.host();
    host.load("forms_plugin", None, Dependencies::MustBeLoaded).await.expect("it can be loaded");
    host.enable("forms_plugin").await.expect("it is loaded");

    let read = host.instructions(&Caller::Operator, "forms", None).expect("the package brings it");
    write(&package.join("skills/forms/SKILL.md"), &skill.replace("Fills forms in", "Fills them"));
    host.reload("forms_plugin", None).await.expect("it can be reloaded");
    let description = host.snapshot().competencies().get("forms").expect("it is there").description.clone();
    gathering.shutdown().await;
    let gathering = open(folder.path(), false).await;
    let restored = gathering.host().instructions(&Caller::Operator, "forms", None);

    assert_eq!(read.text, "Press hard.\n");
    assert_eq!(description, "Fills them.");
    assert_eq!(restored, Ok(read));
    gathering.shutdown().await;
}
