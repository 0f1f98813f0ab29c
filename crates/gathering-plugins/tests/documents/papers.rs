//! PDF files that reportlab made, with the text that pypdf finds in them.

use serde_json::{Value, json};

use crate::support::Documents;

fn words(text: &Value) -> Vec<&str> {
    text.as_str().unwrap().split_whitespace().collect()
}

#[tokio::test]
async fn the_text_of_a_page_has_the_words_that_pypdf_finds() {
    let Some(documents) = Documents::with_files("papers").await else { return };
    let said = documents.said("pypdf");
    let page = async |path: &str, page: usize| {
        documents.call("read_document", json!({"path": path, "page": page})).await.unwrap()
    };

    for (path, pages) in
        [("report.pdf", &said["pages"]), ("owned.pdf", &said["pages"]), ("long.pdf", &said["long"])]
    {
        for (index, theirs) in pages.as_array().unwrap().iter().enumerate() {
            let ours = page(path, index + 1).await;
            assert_eq!(words(&ours["text"]), words(theirs), "{path}, page {}", index + 1);
        }
    }
    assert!(page("report.pdf", 3).await["notes"][0].as_str().unwrap().contains("no text on page 3"));
}

#[tokio::test]
async fn columns_are_read_one_after_the_other() {
    let Some(documents) = Documents::with_files("papers").await else { return };

    let read = documents.call("read_document", json!({"path": "columns.pdf"})).await.unwrap();

    let text = read["text"].as_str().unwrap();
    let places: Vec<_> =
        (1..12).map(|number| text.find(&format!("Paragraph {number} begins")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(
        text.starts_with("## Page 1\n\nA heading over both columns of the page\n\nParagraph 1 begins here.")
    );
}

#[tokio::test]
async fn facts_and_outline_are_those_of_pypdf() {
    let Some(documents) = Documents::with_files("papers").await else { return };
    let said = documents.said("pypdf");

    let info = documents.call("document_info", json!({"path": "report.pdf"})).await.unwrap()["info"].clone();

    assert_eq!((&info["title"], &info["author"]), (&said["title"], &said["author"]));
    assert_eq!(info["pages"], 3);
    assert_eq!(info["page_size"]["millimetres"], json!([210.0, 297.0]));
    let outline: Vec<_> = info["outline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| json!([entry["title"], entry["page"]]))
        .collect();
    assert_eq!(json!(outline), said["outline"]);
}

#[tokio::test]
async fn locked_and_broken_files_get_clear_answers_and_circles_end() {
    let Some(documents) = Documents::with_files("papers").await else { return };

    for (path, expected) in [("locked.pdf", "it opens only with a password"), ("cut.pdf", "(corrupt)")] {
        let error = documents.call("read_document", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
    let circle = documents.call("read_document", json!({"path": "circle.pdf"})).await.unwrap();
    assert_eq!(circle["text"], "## Page 1\n\nRound and round");
    let no_page =
        documents.call("read_document", json!({"path": "report.pdf", "page": 9})).await.unwrap_err();
    assert!(no_page.contains("there is no page 9: it has 3 pages"), "{no_page}");
}
