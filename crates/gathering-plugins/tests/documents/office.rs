//! Documents of python-docx and presentations of python-pptx, with what those say of them.

use serde_json::{Value, json};

use crate::support::Documents;

async fn text(documents: &Documents, arguments: Value) -> String {
    let read = documents.call("read_document", arguments).await.unwrap();
    read["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_letter_becomes_markdown() {
    let Some(documents) = Documents::with_files("office").await else { return };

    let text = text(&documents, json!({"path": "letter.docx"})).await;

    assert_eq!(
        text.trim_end(),
        "# On tools\n\n\
         # Why one place\n\n\
         Every tool lives in **one place**, whoever *wrote* it; see [the page](https://example.org/tools)\n\n\
         ## Lists\n\n\
         - apples\n- pears\n- sweet ones\n1. first\n2. second\n\n\
         | name | a\\|b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| 4<br>5 |  | 6 |\n\n\
         ![Picture 1]()\n\n\
         \\# no heading, 2 \\* 3 \\< 7"
    );
}

#[tokio::test]
async fn a_letter_has_the_words_that_python_docx_reads() {
    let Some(documents) = Documents::with_files("office").await else { return };
    let said = documents.said("letter.docx");

    let text = text(&documents, json!({"path": "letter.docx"})).await.replace(['\\', '*'], "");
    let info = documents.call("document_info", json!({"path": "letter.docx"})).await.unwrap()["info"].clone();

    for paragraph in said["paragraphs"].as_array().unwrap() {
        let words = paragraph.as_str().unwrap().replace('*', "").replace("the page", "[the page]");
        assert!(text.contains(words.trim()), "{words}");
    }
    assert_eq!((&info["title"], &info["author"]), (&json!("On tools"), &json!("Zoë")));
    assert_eq!((&info["tables"], &info["pictures"]), (&json!(1), &json!(1)));
    assert_eq!(info["outline"][2], json!({"level": 2, "title": "Lists"}));
}

#[tokio::test]
async fn a_talk_is_read_slide_by_slide_with_its_notes() {
    let Some(documents) = Documents::with_files("office").await else { return };
    let said = documents.said("talk.pptx");

    let whole = text(&documents, json!({"path": "talk.pptx"})).await;
    let second = text(&documents, json!({"path": "talk.pptx", "page": 2})).await;
    let info = documents.call("document_info", json!({"path": "talk.pptx"})).await.unwrap()["info"].clone();
    let missing = documents.call("read_document", json!({"path": "talk.pptx", "page": 7})).await.unwrap_err();

    assert_eq!(
        second,
        "## Slide 2: Three points\n\n- Confine\n    - each call\n- Check\n\nNotes:\n\n> Speak slowly.\n>\n> Show the demo."
    );
    assert!(whole.contains("| quarter | orders |\n| --- | --- |\n| Q1 | 1,204 |\n"), "{whole}");
    for line in said["texts"].as_array().unwrap().iter().flat_map(|slide| slide.as_array().unwrap()) {
        assert!(whole.contains(line.as_str().unwrap()), "{line}");
    }
    assert_eq!(info["titles"], said["titles"]);
    assert_eq!(info["slides_with_notes"], said["notes"].as_array().unwrap().len());
    assert!(missing.contains("there is no slide 7: it has 3 slides"), "{missing}");
}

#[tokio::test]
async fn broken_letters_get_clear_answers() {
    let Some(documents) = Documents::with_files("office").await else { return };

    for (path, expected) in [
        ("cut.docx", "(corrupt)"),
        ("laughs.docx", "declares a document type"),
        ("deep.docx", "nested more than 64 deep"),
        ("bomb.docx", "`word/document.xml` has more than 64 MiB"),
    ] {
        let error = documents.call("read_document", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
}
