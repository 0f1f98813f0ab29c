//! Archives as Python writes them: listed and looked into, never unpacked.

use serde_json::{Value, json};

use crate::support::Documents;

fn column(read: &Value, name: &str) -> Vec<Value> {
    let at = read["table"]["columns"].as_array().unwrap().iter().position(|column| column == name).unwrap();
    read["table"]["rows"].as_array().unwrap().iter().map(|row| row[at].clone()).collect()
}

#[tokio::test]
async fn the_members_of_archives_are_listed_and_what_leads_out_is_said() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let zip = documents.call("read_document", json!({"path": "files.zip"})).await.unwrap();
    let tar = documents.call("read_document", json!({"path": "files.tar.gz"})).await.unwrap();

    assert_eq!(column(&zip, "name"), ["docs/", "docs/hello.txt", "../outside.txt", "/etc/absolute.txt"]);
    assert_eq!(column(&zip, "modified")[1], "2024-02-29 12:34:56");
    assert_eq!(column(&zip, "warning").iter().filter(|warning| !warning.is_null()).count(), 2);
    assert_eq!(column(&tar, "name"), ["docs/hello.txt", "../outside.txt", "passwd"]);
    assert_eq!(column(&tar, "kind"), ["file", "file", "link"]);
    assert_eq!(column(&tar, "modified")[0], "2024-02-29T12:34:56Z");
    assert!(!column(&tar, "warning")[1].is_null());
}

#[tokio::test]
async fn one_member_is_read_as_text() {
    let Some(documents) = Documents::with_files("data").await else { return };

    for (path, text) in [("files.zip", "Hello, archive\n"), ("files.tar.gz", "Hello, tar\n")] {
        let read =
            documents.call("read_document", json!({"path": path, "entry": "docs/hello.txt"})).await.unwrap();
        assert_eq!(read["text"], text);
        let error = documents.call("read_document", json!({"path": path, "entry": "x"})).await.unwrap_err();
        assert!(error.contains("it has no member `x`"), "{error}");
    }
}
