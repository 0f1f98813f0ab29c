//! Meshes that trimesh made, with what trimesh says of them.

use serde_json::{Value, json};

use crate::support::Documents;

fn close(ours: &Value, theirs: &Value) -> bool {
    let (Some(ours), Some(theirs)) = (ours.as_f64(), theirs.as_f64()) else { return ours == theirs };
    // Corners are kept with 7 digits.
    (ours - theirs).abs() <= 2e-5 * theirs.abs().max(1.0)
}

#[tokio::test]
async fn the_facts_of_meshes_are_those_of_trimesh() {
    let Some(documents) = Documents::with_files("meshes").await else { return };
    let said = documents.said("trimesh");

    for (path, said) in said.as_object().unwrap() {
        let info = documents.call("document_info", json!({"path": path})).await.unwrap()["info"].clone();

        assert_eq!(info["triangles"], said["triangles"], "{path}");
        assert_eq!(info["closed"], said["closed"], "{path}");
        assert!(close(&info["area"], &said["area"]), "{path}: {info}");
        assert!(close(&info["volume"], &said["volume"]), "{path}: {info}");
        for axis in 0..3 {
            assert!(close(&info["bounds"]["min"][axis], &said["bounds"][0][axis]), "{path}: {info}");
            assert!(close(&info["bounds"]["max"][axis], &said["bounds"][1][axis]), "{path}: {info}");
        }
    }
}

#[tokio::test]
async fn what_has_no_volume_says_why() {
    let Some(documents) = Documents::with_files("meshes").await else { return };
    let note = async |path: &str| {
        let info = documents.call("document_info", json!({"path": path})).await.unwrap();
        info["info"]["volume_note"].as_str().unwrap().to_owned()
    };

    assert!(note("open.stl").await.contains("the surface is not closed"));
    assert_eq!(note("inside_out.stl").await, "the triangles face inwards");
}

#[tokio::test]
async fn files_that_lie_get_clear_answers() {
    let Some(documents) = Documents::with_files("meshes").await else { return };

    for (path, expected) in [
        ("lying.stl", "it says that it has 4000000000 triangles, which take 200000000084 bytes"),
        ("cut.stl", "it was cut off"),
        ("nan.stl", "at a place that is no number"),
        ("missing.obj", "(corrupt)"),
        ("cut.glb", "(corrupt)"),
    ] {
        let error = documents.call("document_info", json!({"path": path})).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
    let other = documents.call("document_info", json!({"path": "other.obj"})).await.unwrap();
    assert_eq!(other["info"]["missing"], json!(["/etc/passwd"]));
    let outside = documents.call("document_info", json!({"path": "outside.gltf"})).await.unwrap();
    assert_eq!(outside["info"]["triangles"], 0);
    assert!(outside["info"]["missing"][0].as_str().unwrap().ends_with(".bin"), "{outside}");
}
