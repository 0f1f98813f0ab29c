//! Files that mean harm: each costs a clear answer within the limits, and nothing else.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Documents;

#[tokio::test]
async fn hostile_files_get_clear_answers() {
    let Some(documents) = Documents::with_files("hostile").await else { return };
    let started = Instant::now();

    for (path, expected) in [
        ("cut.zip", "(corrupt)"),
        ("deep.xml", "nested more than 200 deep (too_large)"),
        ("deep.html", "nested more than 1000 deep (too_large)"),
        ("deep.json", "it is no JSON: recursion limit exceeded"),
        ("aliases.yaml", "repetition limit exceeded"),
        ("too_wide.csv", "it has 100001 columns, more than 16384 (too_large)"),
        ("open_quote.csv", "a row has more than 16777216 bytes: is a quotation mark left open"),
        ("bomb.tar.gz", "damaged or cut off"),
    ] {
        let error = documents.call("read_document", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }

    // What takes the longest is unpacking 64 MiB; the rest is for machines that are drowning.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nothing_that_a_file_says_makes_more_of_it() {
    let Some(documents) = Documents::with_files("hostile").await else { return };
    let read = async |arguments| documents.call("read_document", arguments).await;

    let laughs = read(json!({"path": "laughs.xml"})).await.unwrap();
    let outside = read(json!({"path": "outside.xml"})).await.unwrap();
    let bomb = read(json!({"path": "bomb.zip"})).await.unwrap();
    let wide = read(json!({"path": "wide.csv"})).await.unwrap();

    assert_eq!(laughs["value"], json!({"l": "&l9;"}));
    assert_eq!(outside["value"], json!({"l": "&x;"}));
    assert_eq!(bomb["table"]["rows"][0][6], "it unpacks to more than 1000 times its size");
    assert_eq!(wide["table"]["columns"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn what_is_locked_or_lies_about_its_size_is_said() {
    let Some(documents) = Documents::with_files("hostile").await else { return };

    for path in ["locked.zip", "liar.zip"] {
        let listed = documents.call("read_document", json!({"path": path})).await.unwrap();
        assert_eq!(listed["table"]["rows"][0][5], true);
        let entry = json!({"path": path, "entry": "secret.txt"});
        let error = documents.call("read_document", entry).await.unwrap_err();
        assert!(error.contains("locked with a password (encrypted)"), "{error}");
    }
}
