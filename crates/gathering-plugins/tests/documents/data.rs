//! JSON, YAML, TOML, XML, HTML, Markdown and notebooks, as other programs write them.

use gathering_core::Content;
use serde_json::{Value, json};

use crate::support::Documents;

#[tokio::test]
async fn data_in_each_language_is_the_value_that_was_written() {
    let Some(documents) = Documents::with_files("data").await else { return };
    let read = async |path: &str| {
        documents.call("read_document", json!({"path": path})).await.unwrap()["value"].clone()
    };

    let json: Value = serde_json::from_slice(&std::fs::read(documents.path("value.json")).unwrap()).unwrap();

    assert_eq!(read("value.json").await, json);
    assert_eq!(read("value.yaml").await, json);
    assert_eq!(read("several.yaml").await, json!([{"a": 1}, {"b": [true, null]}]));
    assert_eq!(
        read("value.toml").await,
        json!({"title": "Example", "when": "2026-01-31T12:00:00", "owner": {"name": "Tom", "ports": [8000, 8001]}})
    );
    assert_eq!(
        read("shop.xml").await,
        json!({"shop": {"@currency": "EUR", "item": [
            {"@price": "3.50", "#text": "Tea"}, {"@price": "12.00", "#text": "R&B <CD>"},
        ]}})
    );
}

#[tokio::test]
async fn a_long_list_is_read_in_parts() {
    let Some(documents) = Documents::with_files("data").await else { return };

    for path in ["rows.json", "rows.jsonl"] {
        let arguments = json!({"path": path, "offset": 2998, "limit": 1});
        let read = documents.call("read_document", arguments).await.unwrap();
        assert_eq!((&read["value"], &read["more"]), (&json!([{"at": 2998}]), &json!({"offset": 2999})));
    }
}

#[tokio::test]
async fn data_becomes_data_in_another_language() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let yaml = json!({"path": "value.toml", "output": "out.yaml"});
    documents.call("convert_document", yaml).await.unwrap();
    let back = json!({"path": "out.yaml", "output": "out.toml"});
    documents.call("convert_document", back).await.unwrap();

    let before = documents.call("read_document", json!({"path": "value.toml"})).await.unwrap();
    let after = documents.call("read_document", json!({"path": "out.toml"})).await.unwrap();
    assert_eq!(before["value"], after["value"]);
}

#[tokio::test]
async fn a_page_is_markdown_without_its_scripts() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let read = documents.call("read_document", json!({"path": "page.html"})).await.unwrap();
    let info = documents.call("document_info", json!({"path": "page.html"})).await.unwrap();

    let text = read["text"].as_str().unwrap();
    assert!(text.contains("# Cities") && text.contains("**them**"), "{text}");
    assert!(text.contains("[more](https://example.org/)") && !text.contains("alert"), "{text}");
    assert!(text.contains("Bern") && text.contains("|"), "{text}");
    assert_eq!(info["info"]["title"], "The Cities");
    assert_eq!(info["info"]["headings"], json!([{"level": 1, "title": "Cities"}]));
}

#[tokio::test]
async fn a_notebook_is_its_text_its_code_and_what_came_of_it() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let read = documents.output("read_document", json!({"path": "study.ipynb"})).await.unwrap();
    let info = documents.call("document_info", json!({"path": "study.ipynb"})).await.unwrap();

    let text = read.value["text"].as_str().unwrap();
    assert!(text.starts_with("# A study\n\nOf numbers.\n"), "{text}");
    assert!(text.contains("```python\n1 + 1\n```\n\n```output\n2\n```"), "{text}");
    assert!(text.contains("ZeroDivisionError: division by zero"), "{text}");
    assert!(read.parts.iter().any(|part| matches!(part, Content::Image { .. })));
    assert_eq!((&info["info"]["code_cells"], &info["info"]["errors"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn the_content_is_believed_where_the_name_lies() {
    let Some(documents) = Documents::with_files("data").await else { return };
    std::fs::copy(documents.path("files.zip"), documents.path("report.csv")).unwrap();
    std::fs::copy(documents.path("page.html"), documents.path("old.zip")).unwrap();

    let zip = documents.call("read_document", json!({"path": "report.csv"})).await.unwrap();
    let html = documents.call("document_info", json!({"path": "old.zip"})).await.unwrap();

    assert_eq!((&zip["format"], &zip["named_like"]), (&json!("zip"), &json!("csv")));
    assert_eq!((&html["format"], &html["named_like"]), (&json!("html"), &json!("zip")));
}

#[tokio::test]
async fn every_format_can_be_looked_at() {
    let Some(documents) = Documents::with_files("data").await else { return };

    for path in [
        "sales.csv",
        "value.json",
        "value.yaml",
        "value.toml",
        "shop.xml",
        "page.html",
        "notes.md",
        "study.ipynb",
        "files.zip",
        "files.tar.gz",
    ] {
        let output = documents.output("document_preview", json!({"path": path})).await.unwrap();
        let Content::Image { data, .. } = &output.parts[0] else { panic!("{path}: no picture") };
        let png = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).unwrap();
        if let Some(folder) = std::env::var_os("GATHERING_SAVE_PREVIEWS") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{path}.png")), &png).unwrap();
        }
        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        let dark = picture.pixels().filter(|pixel| pixel.0[0] < 160).count();
        assert!(dark > 200, "{path}: {dark} dark pixels");
    }
}
