//! Competencies that are folders with a `SKILL.md`: what is taken, who reads what, and what happens when files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gathering_core::{Caller, CompetencyLevel, InstructionsError, PluginStatus};
use gathering_host::{Host, SkillsRuntime};
use gathering_testkit::agent;
use tempfile::TempDir;

/// A host with one folder for skills.
fn host() -> (TempDir, PathBuf, Host) {
    let folder = tempfile::tempdir().expect("a folder");
    let skills = folder.path().join("skills");
    fs::create_dir(&skills).expect("it can be made");
    let host = Host::builder().runtime(Arc::new(SkillsRuntime)).skill_directory(skills.clone()).build();
    (folder, skills, host)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

fn skill(skills: &Path, name: &str, more: &str) {
    let text = format!(
        "---\nname: {name}\ndescription: Does {name}.\n{more}---\n\n# How\n\nSee [forms](forms.md).\n"
    );
    write(&skills.join(name).join("SKILL.md"), &text);
}

async fn refusal(text: &str) -> String {
    let (_folder, skills, host) = host();
    write(&skills.join("bad/SKILL.md"), text);
    let found = host.discover(None).await.expect("the folder can be read");
    assert_eq!((found.discovered.len(), host.snapshot().competencies().len()), (0, 0));
    let path = skills.join("bad").display().to_string();
    found.errors[0].message.replace(&path, "bad")
}

#[tokio::test]
async fn a_skill_is_a_competency_as_soon_as_it_is_found_with_what_its_front_matter_says() {
    let (_folder, skills, host) = host();
    let more = "license: Apache-2.0\nmetadata:\n  version: \"2.1\"\nallowed-tools: Read Grep\ncategory: programming\n\
                level: advanced\nprerequisites: [z-basics]\n";
    skill(&skills, "pdf-forms", more);
    skill(&skills, "z-basics", "");

    let found = host.discover(None).await.expect("the folder can be read");

    assert_eq!(found.errors, []);
    let snapshot = host.snapshot();
    let forms = snapshot.competencies().get("pdf-forms").expect("it is there");
    assert_eq!((forms.name.as_str(), forms.description.as_str()), ("Pdf forms", "Does pdf-forms."));
    assert_eq!((forms.category.as_str(), &forms.level), ("programming", &CompetencyLevel::Advanced));
    assert_eq!(forms.prerequisites[0].as_str(), "z-basics");
    assert_eq!(
        (&forms.metadata["license"], &forms.metadata["allowed-tools"]),
        (&"Apache-2.0".into(), &"Read Grep".into())
    );
    let plugin = host.plugin("pdf-forms").expect("it is a plugin");
    assert_eq!((plugin.status, plugin.metadata.version.as_str()), (PluginStatus::Enabled, "2.1"));
}

#[tokio::test]
async fn front_matter_that_does_not_fit_is_refused_with_the_reason() {
    for (text, reason) in [
        (
            "# No front matter",
            "bad/SKILL.md: it begins with a line `---`, then `name` and `description` in YAML, then another line `---`",
        ),
        ("---\nname: bad\n---\n", "bad/SKILL.md: its first part: missing field `description`"),
        (
            "---\nname: good\ndescription: x\n---\n",
            "bad/SKILL.md: `name` is `good`, and its folder has to be called so, too",
        ),
        (
            "---\nname: Bad\ndescription: x\n---\n",
            "bad/SKILL.md: `name` has 1 to 64 small letters, digits and single hyphens between them",
        ),
        ("---\nname: bad\ndescription: ' '\n---\n", "bad/SKILL.md: `description` has 1 to 1024 characters"),
    ] {
        assert_eq!(refusal(text).await, reason);
    }
    for (text, part) in [
        ("---\nname: bad\ndescription: x\nmodel: y\n---\n", "unknown field `model`"),
        ("---\nname: bad\ndescription: [x]\n---\n", "invalid type: sequence"),
        ("---\nname: bad\ndescription: x\nprerequisites: ['../x']\n---\n", "../x"),
        (
            "---\na: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\n---\n",
            "unknown field `a`",
        ),
        (&format!("---\nname: bad\ndescription: x\n# {}\n---\n", "x".repeat(20_000)), "more than 16384"),
        (&"x".repeat(300_000), "it has more than 262144 bytes"),
    ] {
        let refused = refusal(text).await;
        assert!(refused.contains(part), "{refused}");
    }
}

#[tokio::test]
async fn whoever_holds_a_skill_reads_its_instructions_and_the_files_beside_them_and_nobody_else() {
    let (_folder, skills, host) = host();
    skill(&skills, "forms", "");
    skill(&skills, "forms-pro", "prerequisites: [forms]\n");
    write(&skills.join("forms/forms.md"), "Fill them in.");
    write(&skills.join("forms/scripts/fill.py"), "print()");
    write(&skills.join("forms/.hidden"), "x");
    host.discover(None).await.expect("the folder can be read");
    let holder = agent("a", &["forms-pro"]);

    let read = host.instructions(&holder, "forms", None).expect("a holds what builds on it");
    let file = host.instructions(&holder, "forms", Some("scripts/fill.py")).expect("it lies there");
    let refused = host.instructions(&agent("b", &["git"]), "forms", None).unwrap_err();
    let unknown = host.instructions(&Caller::Operator, "froms", None).unwrap_err();

    assert_eq!(
        (read.text.as_str(), &read.files[..]),
        ("# How\n\nSee [forms](forms.md).\n", &["forms.md".to_owned(), "scripts/fill.py".to_owned()][..])
    );
    assert_eq!(file.text, "print()");
    assert!(matches!(refused, InstructionsError::NotHeld { .. }));
    assert!(refused.to_string().contains("`gathering agents grant b forms`"), "{refused}");
    assert_eq!(unknown.to_string(), "there is no competency called `froms`; did you mean `forms`?");
    let told = |caller: &Caller| {
        host.skills_for(caller).iter().map(|skill| skill.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(&holder), ["forms", "forms-pro"]);
    assert_eq!(told(&agent("b", &["git"])), [""; 0]);
    host.disable("forms", true).await.expect("it is enabled");
    assert!(host.instructions(&holder, "forms", None).is_err(), "what is disabled is not offered");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_but_the_skills_own_folder_is_read() {
    let (folder, skills, host) = host();
    skill(&skills, "forms", "");
    write(&folder.path().join("secret"), "hidden from agents");
    write(&skills.join("secret"), "hidden from agents");
    std::os::unix::fs::symlink("../secret", skills.join("forms/link")).expect("a link");
    std::os::unix::fs::symlink(folder.path(), skills.join("forms/folder")).expect("a link");
    write(&skills.join("forms/picture.png"), "");
    fs::write(skills.join("forms/picture.png"), [0xff, 0xfe, 0]).expect("it can be written");
    host.discover(None).await.expect("the folder can be read");

    let absolute = folder.path().join("secret").display().to_string();
    for file in [
        "../secret",
        "link",
        "folder/secret",
        &absolute,
        "scripts/../../secret",
        "",
        ".",
        "/dev/zero",
        "\0",
        "picture.png",
    ] {
        let error = host.instructions(&Caller::Operator, "forms", Some(file)).expect_err(file);
        assert!(matches!(error, InstructionsError::File { .. }), "{file}: {error}");
    }
    assert_eq!(
        host.instructions(&Caller::Operator, "forms", None).expect("it is there").files,
        ["picture.png"]
    );
}

#[tokio::test]
async fn rediscovery_takes_over_what_changed_and_forgets_what_is_gone() {
    let (_folder, skills, host) = host();
    skill(&skills, "forms", "");
    skill(&skills, "gone", "");
    host.discover(None).await.expect("the folder can be read");
    write(&skills.join("forms/SKILL.md"), "---\nname: forms\ndescription: New.\n---\nNew body\n");
    let body = host.instructions(&Caller::Operator, "forms", None).expect("it is there").text;
    fs::remove_dir_all(skills.join("gone")).expect("it can be removed");
    skill(&skills, "new", "");

    host.discover(None).await.expect("the folder can be read");

    assert_eq!(body, "New body\n", "the body is read when it is asked for");
    let snapshot = host.snapshot();
    assert_eq!(snapshot.competencies().get("forms").expect("it is there").description, "New.");
    assert!(snapshot.competencies().get("new").is_some() && snapshot.competencies().get("gone").is_none());
    assert!(host.plugin("gone").is_err());
    host.disable("new", false).await.expect("it is enabled");
    host.discover(None).await.expect("the folder can be read");
    assert_eq!(
        host.plugin("new").expect("it is there").status,
        PluginStatus::Disabled,
        "that its operator disabled it is kept"
    );
}
