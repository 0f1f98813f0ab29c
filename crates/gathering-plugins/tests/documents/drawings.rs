//! Drawings that ezdxf made, with what ezdxf says of them.

use serde_json::json;

use crate::support::Documents;

#[tokio::test]
async fn the_facts_of_a_drawing_are_those_of_ezdxf() {
    let Some(documents) = Documents::with_files("drawings").await else { return };
    let said = documents.said("plan.dxf");

    let info = documents.call("document_info", json!({"path": "plan.dxf"})).await.unwrap()["info"].clone();

    assert_eq!(info["kinds"], said["kinds"]);
    for (layer, count) in said["layers"].as_object().unwrap() {
        assert_eq!(&info["layers"][layer], count, "{layer}");
    }
    assert_eq!(info["unit"], "millimetre");
    assert_eq!(info["blocks"], json!(["tree"]));
    for (end, theirs) in [("min", &said["bounds"][0]), ("max", &said["bounds"][1])] {
        for axis in 0..2 {
            let (ours, theirs) =
                (info["bounds"][end][axis].as_f64().unwrap(), theirs[axis].as_f64().unwrap());
            // Curves are drawn with 96 pieces a turn.
            assert!((ours - theirs).abs() < 0.05, "{end} {axis}: {ours} {theirs}");
        }
    }
}

#[tokio::test]
async fn the_texts_of_a_drawing_are_read_without_their_codes() {
    let Some(documents) = Documents::with_files("drawings").await else { return };

    let read = documents.call("read_document", json!({"path": "plan.dxf"})).await.unwrap();

    assert_eq!(read["text"], "Living room\nSecond\nline");
}

#[tokio::test]
async fn a_drawing_that_is_cut_off_or_inserts_itself_gets_a_clear_answer() {
    let Some(documents) = Documents::with_files("drawings").await else { return };

    for (path, expected) in [("cut.dxf", "(corrupt)"), ("loop.dxf", "nested more than 16 deep")] {
        let error = documents.call("document_info", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
}
