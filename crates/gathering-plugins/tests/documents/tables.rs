//! CSV and TSV, as pandas writes them, with what pandas says of them.

use serde_json::{Value, json};

use crate::support::Documents;

fn close(a: &Value, b: &Value) -> bool {
    let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

#[tokio::test]
async fn a_table_is_read_in_parts_with_the_types_of_its_columns() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let first = documents.call("read_document", json!({"path": "sales.csv", "limit": 4321})).await.unwrap();
    let mut next = first["more"].clone();
    next["path"] = "sales.csv".into();
    next["limit"] = 1.into();
    let second = documents.call("read_document", next.clone()).await.unwrap();
    next.as_object_mut().unwrap().remove("position");
    let without_position = documents.call("read_document", next).await.unwrap();

    assert_eq!(first["table"]["columns"], json!(["id", "city", "price", "day", "open", "code"]));
    assert_eq!(first["table"]["rows"].as_array().unwrap().len(), 4321);
    assert_eq!(second["table"]["rows"][0], documents.said("sales.csv")["row_4321"]);
    assert_eq!(second["table"]["rows"], without_position["table"]["rows"]);
}

#[tokio::test]
async fn every_dialect_and_encoding_gives_the_same_table() {
    let Some(documents) = Documents::with_files("data").await else { return };
    let read = async |path: &str| {
        documents.call("read_document", json!({"path": path, "limit": 50})).await.unwrap()["table"].clone()
    };

    let plain = read("sales.csv").await;

    for path in ["sales.tsv", "sales_utf16.csv", "sales_semicolon.csv"] {
        let table = read(path).await;
        assert_eq!(table["columns"], plain["columns"], "{path}");
        assert_eq!(table["rows"], plain["rows"], "{path}");
    }
}

#[tokio::test]
async fn statistics_are_those_of_pandas() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let read =
        documents.call("read_document", json!({"path": "sales.csv", "statistics": true})).await.unwrap();
    let info = documents.call("document_info", json!({"path": "sales.csv"})).await.unwrap();

    let said = documents.said("sales.csv");
    let [id, city, price, day, open, code] = [0, 1, 2, 3, 4, 5].map(|at| &read["value"]["columns"][at]);
    assert_eq!(read["value"]["rows"], said["rows"]);
    assert_eq!(info["info"]["rows"], said["rows"]);
    for (ours, theirs) in
        [("count", "count"), ("mean", "mean"), ("std", "std"), ("min", "min"), ("max", "max")]
    {
        assert!(close(&price[ours], &said["price"][theirs]), "{ours}: {price} {said}");
    }
    assert!(close(&price["sum"], &said["price_sum"]));
    assert_eq!(price["nulls"], said["price_nulls"]);
    assert_eq!((&id["type"], &id["sum"]), (&json!("integer"), &said["id_sum"]));
    let cities = city["top"].as_array().unwrap();
    assert_eq!(cities.len(), said["cities"].as_object().unwrap().len());
    for top in cities {
        assert_eq!(top["count"], said["cities"][top["value"].as_str().unwrap()]);
    }
    assert_eq!((&day["type"], &day["min"]), (&json!("date"), &json!("2024-01-01")));
    assert_eq!((&open["type"], &code["type"]), (&json!("boolean"), &json!("text")));
}

#[tokio::test]
async fn quotation_marks_line_breaks_and_missing_names_are_understood() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let quoted = documents.call("read_document", json!({"path": "quoted.csv"})).await.unwrap();
    let nameless = documents.call("read_document", json!({"path": "no_header.csv"})).await.unwrap();

    assert_eq!(quoted["table"]["rows"], json!([["Ann", "said \"hi\", and left"], ["Bob", "two\nlines"]]));
    assert_eq!(nameless["table"]["columns"], json!(["column_1", "column_2"]));
    assert_eq!(nameless["table"]["rows"], json!([[1, "a"], [2, "b"], [3, "c"]]));
}

#[tokio::test]
async fn a_table_becomes_json_and_json_lines_no_row_is_lost() {
    let Some(documents) = Documents::with_files("data").await else { return };

    let to = json!({"path": "sales.csv", "output": "sales_out.json"});
    let written = documents.call("convert_document", to.clone()).await.unwrap();
    let again = documents.call("convert_document", to).await.unwrap_err();
    let back = json!({"path": "sales.tsv", "output": "sales_out.csv"});
    documents.call("convert_document", back).await.unwrap();

    let bytes = std::fs::read(documents.path("sales_out.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((written["bytes"].as_u64(), &written["created"]), (Some(bytes.len() as u64), &json!(true)));
    assert_eq!(rows.len(), 5000);
    assert_eq!(rows[4321]["code"], "04321");
    assert_eq!(again, "`sales_out.json` is there already, and `overwrite` is false");
    assert_eq!(std::fs::read_to_string(documents.path("sales_out.csv")).unwrap().lines().count(), 5001);
}
