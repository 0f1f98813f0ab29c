//! Pictures that Pillow made, with what Pillow says of them.

use serde_json::json;

use crate::support::Documents;

#[tokio::test]
async fn sizes_and_turns_are_those_of_pillow() {
    let Some(documents) = Documents::with_files("pictures").await else { return };
    let said = documents.said("pillow");

    for (path, said) in said.as_object().unwrap() {
        let info = documents.call("document_info", json!({"path": path})).await.unwrap()["info"].clone();

        if path == "photo.tiff" {
            // Pillow turns a TIFF upright when it opens it, and forgets that it did.
            assert_eq!(json!([info["width"], info["height"]]), said["size"]);
            continue;
        }
        assert_eq!(json!([info["stored"]["width"], info["stored"]["height"]]), said["size"], "{path}");
        let turned = said["orientation"] == 6;
        assert_eq!(info["orientation"] == "turned by 90 degrees to the right", turned, "{path}");
        assert_eq!(info["width"] == said["size"][1], turned, "{path}");
        assert_eq!(info["animated"], json!(said["frames"].as_u64() > Some(1)), "{path}");
    }
}

#[tokio::test]
async fn exif_data_are_told_and_the_place_is_in_degrees() {
    let Some(documents) = Documents::with_files("pictures").await else { return };

    let info = documents.call("document_info", json!({"path": "photo.jpg"})).await.unwrap()["info"].clone();

    assert_eq!(info["place"], json!({"latitude": -33.8569, "longitude": 151.2151}));
    assert_eq!(info["exif"]["Make"], "Gathering Optics");
    assert_eq!(info["exif"]["DateTime"], "2024:02:29 12:34:56");
    assert_eq!((&info["exif"]["FNumber"], &info["exif"]["ExposureTime"]), (&json!(2.8), &json!(0.005)));
}

#[tokio::test]
async fn broken_pictures_and_bombs_get_clear_answers() {
    let Some(documents) = Documents::with_files("pictures").await else { return };

    for (path, expected) in [
        ("cut.jpg", "damaged or was cut off"),
        ("cut.png", "it was cut off"),
        ("bomb.png", "60000 x 60000 pixels: a picture may have sides of up to 65535 pixels"),
    ] {
        let error = documents.call("read_document", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
}
