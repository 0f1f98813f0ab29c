//! Competencies and file handlers.

use gathering_testkit::FakePlugin;
use serde_json::{Value, json};

use crate::support::Server;

async fn server() -> Server {
    let server = Server::new();
    let code = FakePlugin::new("code")
        .competency("shell", &[])
        .competency("git", &["shell"])
        .competency("review", &["git"]);
    server.host.enable_fake(code).await;
    let tables = FakePlugin::new("tables")
        .competency("tables", &[])
        .tool("echo_csv")
        .file_handler_with(json!({
            "name": "csv", "extensions": ["csv", "TSV"], "media_types": ["text/csv"], "tools": {"read": "echo_csv"},
        }))
        .file_handler_with(json!({"name": "parquet", "extensions": ["parquet"], "tools": {"read": "echo_csv"}}));
    server.host.enable_fake(tables).await;
    server
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().expect("a list").iter().map(|item| item[key].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn competencies_are_listed_by_category_level_and_plugin() {
    let server = server().await;
    let list = async |query: &str| server.get(&format!("/competencies{query}")).await.ok();

    assert_eq!(list("").await["total"], 4);
    assert_eq!(names(&list("?plugin=tables").await["competencies"], "id"), ["tables"]);
    assert_eq!(names(&list("?category=custom&plugin=tables").await["competencies"], "id"), ["tables"]);
    assert_eq!(list("?level=intermediate").await["total"], 4);
    assert_eq!(list("?level=expert").await["total"], 0);
    assert_eq!(list("?category=writing").await["total"], 0);
}

#[tokio::test]
async fn a_competency_is_shown_with_what_it_builds_on_and_what_builds_on_it() {
    let server = server().await;

    let git = server.get("/competencies/git").await.ok();

    assert_eq!(git["prerequisites"], json!(["shell"]));
    assert_eq!(git["dependents"], json!(["review"]));
    assert_eq!(server.get("/competencies/review").await.ok()["all_prerequisites"], json!(["git", "shell"]));
    assert_eq!(
        server.get("/competencies/gti").await.problem(404, "unknown_competency"),
        "there is no competency called `gti`; `GET /competencies` lists them"
    );
}

#[tokio::test]
async fn a_learning_path_leads_from_the_first_prerequisite_to_the_goal() {
    let server = server().await;

    assert_eq!(
        server.get("/competencies/review/learning-path").await.ok(),
        json!({"competency_id": "review", "learning_path": ["shell", "git", "review"]})
    );
    server.get("/competencies/x/learning-path").await.problem(404, "unknown_competency");
    server.get("/competencies/x/instructions").await.problem(404, "unknown_competency");
    server.get("/competencies/review/instructions").await.problem(404, "no_instructions");
}

#[tokio::test]
async fn file_handlers_are_found_by_extension_and_media_type() {
    let server = server().await;
    let list = async |query: &str| server.get(&format!("/file-handlers{query}")).await.ok();

    assert_eq!(names(&list("").await["file_handlers"], "name"), ["csv", "parquet"]);
    assert_eq!(names(&list("?extension=.tsv").await["file_handlers"], "name"), ["csv"]);
    assert_eq!(names(&list("?media_type=Text/CSV").await["file_handlers"], "name"), ["csv"]);
    assert_eq!(list("?extension=parquet&media_type=text/csv").await["total"], 0);
}
