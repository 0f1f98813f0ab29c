//! Workbooks, as openpyxl, xlwt and odfpy write them, with what openpyxl says of them.

use serde_json::{Value, json};

use crate::support::Documents;

#[tokio::test]
async fn a_sheet_is_read_in_parts_with_its_types() {
    let Some(documents) = Documents::with_files("sheets").await else { return };
    let said = documents.said("orders.xlsx");
    let said = said["rows"].as_array().unwrap();

    let (mut rows, mut arguments) = (Vec::new(), json!({"path": "orders.xlsx"}));
    loop {
        let read = documents.call("read_document", arguments).await.unwrap();
        rows.extend(read["table"]["rows"].as_array().unwrap().clone());
        assert_eq!(read["table"]["columns"], said[0]);
        assert_eq!(read["table"]["total"], 2500);
        if read["more"].is_null() {
            break;
        }
        arguments = read["more"].clone();
        arguments["path"] = "orders.xlsx".into();
    }

    assert_eq!(rows.len(), 2500);
    for (ours, theirs) in rows.iter().zip(&said[1..]) {
        // Excel keeps no integers: 2.50 and 2.5 are one number, and so are 5.0 and 5.
        for (ours, theirs) in ours.as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
            assert!(
                ours == theirs || (ours.as_f64().is_some() && ours.as_f64() == theirs.as_f64()),
                "{ours} {theirs}"
            );
        }
    }
}

#[tokio::test]
async fn ranges_and_other_sheets_are_read_by_name() {
    let Some(documents) = Documents::with_files("sheets").await else { return };
    let read = async |arguments: Value| documents.call("read_document", arguments).await;

    let range = read(json!({"path": "orders.xlsx", "range": "B2:C3"})).await.unwrap();
    let notes = read(json!({"path": "orders.xlsx", "sheet": "Notes & more", "header": false})).await.unwrap();
    let by_range = read(json!({"path": "orders.xlsx", "range": "'Notes & more'!C4"})).await.unwrap();
    let missing = read(json!({"path": "orders.xlsx", "sheet": "Nodes"})).await.unwrap_err();
    let wrong = read(json!({"path": "orders.xlsx", "range": "two"})).await.unwrap_err();

    assert_eq!(range["table"]["columns"], json!(["B", "C"]));
    assert_eq!(range["table"]["rows"], json!([["Zürich", 1.25], ["Oslo", 2.5]]));
    assert_eq!(notes["value"]["range"], "B2:D10");
    assert_eq!(notes["table"]["rows"][0], json!(["corner", null, null]));
    assert_eq!(by_range["table"]["rows"], json!([["30:05:00"]]));
    assert!(missing.contains("there are: `Orders`, `Notes & more`, `Hidden`"), "{missing}");
    assert!(wrong.contains("write `B2:D10`"), "{wrong}");
}

#[tokio::test]
async fn old_and_free_workbooks_hold_the_same_rows() {
    let Some(documents) = Documents::with_files("sheets").await else { return };
    let said = documents.said("orders.xlsx");

    for path in ["orders.xls", "orders.ods"] {
        let read = documents.call("read_document", json!({"path": path})).await.unwrap();

        assert_eq!(read["table"]["total"], 50, "{path}");
        let first: Vec<_> = said["rows"][1].as_array().unwrap()[..4].to_vec();
        assert_eq!(read["table"]["rows"][0], json!(first), "{path}");
    }
}

#[tokio::test]
async fn a_workbook_says_what_is_in_it() {
    let Some(documents) = Documents::with_files("sheets").await else { return };

    let info = documents.call("document_info", json!({"path": "orders.xlsx"})).await.unwrap()["info"].clone();

    assert_eq!(info["sheets"][0]["range"], documents.said("orders.xlsx")["range"]);
    assert_eq!(info["sheets"][0]["rows"], 2501);
    assert_eq!(
        info["sheets"][2],
        json!({"name": "Hidden", "range": "A1:A1", "rows": 1, "columns": 1, "hidden": true})
    );
    assert_eq!((&info["title"], &info["author"]), (&json!("Orders of 2024"), &json!("Zoë")));
}

#[tokio::test]
async fn broken_workbooks_get_clear_answers() {
    let Some(documents) = Documents::with_files("sheets").await else { return };

    for (path, expected) in [
        ("cut.xlsx", "(corrupt)"),
        ("bomb.xlsx", "`xl/styles.xml` has more than 128 MiB"),
        ("locked.xlsx", "locked with a password"),
    ] {
        let error = documents.call("read_document", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
    let laughs = documents.call("document_info", json!({"path": "laughs.xlsx"})).await.unwrap_err();
    assert!(laughs.contains("declares a document type"), "{laughs}");
    // Its corners are 17,179,869,184 cells apart.
    let far = documents.call("read_document", json!({"path": "far.xlsx"})).await.unwrap();
    assert_eq!(far["table"]["total"], 1_048_576);
    assert_eq!(far["table"]["rows"][0][0], "near");
}
