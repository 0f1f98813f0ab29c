//! What the tools do with any file, whatever its format.

use gathering_core::Content;
use gathering_sandbox::{Confinement, Prober};
use serde_json::json;

use crate::support::Documents;

#[tokio::test]
async fn a_text_is_read_told_of_and_shown_by_a_confined_worker() {
    let Some(documents) = Documents::new().await else { return };
    documents.put("a.txt", "one\ntwo\nthree\n");

    let read = documents.call("read_document", json!({"path": "a.txt", "limit": 2})).await.unwrap();
    let info = documents.call("document_info", json!({"path": "a.txt"})).await.unwrap();
    let preview = documents.output("document_preview", json!({"path": "a.txt", "width": 300})).await.unwrap();

    assert_eq!(read, json!({"path": "a.txt", "format": "text", "text": "one\ntwo\n", "more": {"offset": 2}}));
    assert_eq!((&info["size"], &info["info"]["lines"]), (&json!(14), &json!(3)));
    assert_eq!(preview.value["width"], 300);
    assert!(matches!(&preview.parts[0], Content::Image { media_type, .. } if media_type == "image/png"));
}

#[tokio::test]
async fn what_no_format_knows_is_refused_with_a_way_out() {
    let Some(documents) = Documents::new().await else { return };
    documents.put("a.out", b"\x7fELF\x02\x01\x01\0\0\0\0\0");

    let error = documents.call("read_document", json!({"path": "a.out"})).await.unwrap_err();

    assert!(error.starts_with("`a.out`: neither its name nor its content is of a format"), "{error}");
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let Some(documents) = Documents::new().await else { return };
    documents.put("a.txt", "x");

    for path in ["../a.txt", "/etc/passwd"] {
        let error = documents.call("read_document", json!({"path": path})).await.unwrap_err();
        assert!(error.contains("lies outside of the folder"), "{error}");
    }
    let output = json!({"path": "a.txt", "output": "../b.md"});
    let error = documents.call("convert_document", output).await.unwrap_err();
    assert!(error.contains("lies outside of the folder"), "{error}");
    let output = json!({"path": "a.txt", "output": ".git/x.md"});
    let error = documents.call("convert_document", output).await.unwrap_err();
    assert!(error.contains("other programs run what"), "{error}");
}

#[tokio::test]
async fn where_nothing_can_be_confined_nothing_is_looked_at() {
    let launcher = "/nowhere/gathering".into();
    let prober = Prober::new(Confinement::Sandbox { launcher, tier: None, or_unconfined: false });
    let documents = Documents::with(prober).await;
    documents.put("a.txt", "x");

    let error = documents.output("read_document", json!({"path": "a.txt"})).await.unwrap_err();

    assert_eq!(error.code(), "sandbox_setup_failed");
}

#[tokio::test]
async fn read_file_reads_what_is_no_text_through_its_handler() {
    let Some(documents) = Documents::with_files("data").await else { return };
    let text = "a,b\n1,2\n";
    documents.put("plain.csv", text);

    let plain = documents.call("read_file", json!({"path": "plain.csv"})).await.unwrap();
    let zip = documents.call("read_file", json!({"path": "files.zip"})).await.unwrap();

    assert_eq!(plain, text);
    assert!(zip.as_str().unwrap().contains("docs/hello.txt"), "{zip}");
}
