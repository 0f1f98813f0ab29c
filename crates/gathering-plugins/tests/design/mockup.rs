//! `create_mockup`: what it draws, that it stays so, and what it says of a bad specification.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Design, pictures};

/// A phone with one of nearly everything. The font is one that is part of the program, so that every machine draws the
/// same.
fn phone(fidelity: &str) -> Value {
    json!({
        "device": "phone", "fidelity": fidelity, "theme": {"font": "Ubuntu", "primary": "#0f766e"},
        "children": [
            {"type": "navigation", "brand": "Trails", "items": ["Home"]},
            {"type": "text", "text": "Good morning", "style": "title"},
            {"type": "row", "children": [
                {"type": "stat", "label": "Walked", "value": "42 km", "change": "+8 %", "icon": "chart"},
            ]},
            {"type": "chart", "kind": "bar", "labels": ["Mo", "Tu", "We"], "height": 120,
                "series": [{"name": "a", "values": [3, 7, 5]}, {"name": "b", "values": [2, 4, -1]}]},
            {"type": "list", "items": [{"title": "Blue Lake", "subtitle": "8 km", "avatar": "Blue Lake", "badge": "Easy",
                "tone": "success"}, "Raven Ridge"]},
            {"type": "table", "columns": ["Day", "km"], "rows": [["Monday", 12.5], ["Tuesday", 8]]},
            {"type": "form", "fields": [
                {"label": "Name", "placeholder": "Ada", "error": "Expected a name"},
                {"label": "Share", "kind": "toggle", "checked": true},
            ], "submit": "Save", "cancel": "Back"},
            {"type": "progress", "value": 40, "label": "Goal"},
            {"type": "navigation", "kind": "bottom", "items": [{"text": "Home", "icon": "home"}, {"text": "You", "icon": "user"}]},
        ],
    })
}

/// The mean difference of two pictures in all channels, of 255; none if their sizes differ.
fn difference(one: &Path, other: &Path) -> Option<f64> {
    let [one, other] = [one, other].map(|path| image::open(path).unwrap().to_rgb8());
    (one.dimensions() == other.dimensions()).then(|| {
        let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / one.len() as f64
    })
}

#[tokio::test]
async fn screens_are_drawn_as_they_were_when_somebody_looked_at_them() {
    let design = Design::new().await;

    for fidelity in ["high", "wireframe"] {
        let arguments = json!({"spec": phone(fidelity), "scale": 0.5, "output": fidelity});
        let output = design.output("create_mockup", arguments).await.unwrap();

        assert_eq!(pictures(&output), ["image/png"]);
        let drawn = design.path(&format!("{fidelity}.png"));
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/design/golden/{fidelity}.png"));
        // To accept what is drawn now, after a look at it: GOLDEN=accept cargo test ...
        if std::env::var_os("GOLDEN").is_some_and(|word| word == "accept") {
            std::fs::copy(&drawn, &golden).unwrap();
        }
        let difference = difference(&drawn, &golden);
        assert!(difference.is_some_and(|mean| mean < 0.5), "{fidelity}: {difference:?}");
    }
}

#[tokio::test]
async fn the_page_has_every_text_of_the_picture_and_runs_nothing() {
    let design = Design::new().await;
    let spec = json!({"title": "<b>&", "children": [
        {"type": "text", "text": "<script>alert(1)</script> & \"quotes\""},
        {"type": "dialog", "title": "Sure?", "actions": [{"text": "Yes"}]},
    ]});

    let value = design.call("create_mockup", json!({"spec": spec})).await.unwrap();

    for face in ["html", "svg"] {
        let text = value[face].as_str().unwrap();
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;"), "{text}");
        assert!(text.contains("<title>&lt;b&gt;&amp;</title>") && text.contains("Sure?"), "{text}");
        assert!(!text.contains("<script"), "{text}");
    }
    assert_eq!((&value["width"], &value["height"]), (&json!(1440.0), &json!(900.0)));
}

#[tokio::test]
async fn a_bad_specification_is_told_with_its_place_and_what_there_is() {
    let design = Design::new().await;

    for (child, told) in [
        (
            json!({"type": "card", "children": [{"type": "text", "text": "a"}, {"type": "buton"}]}),
            "spec.children[0].children[1]: there is no element `buton`; there are row, column, card, dialog, navigation, \
             form, table, chart, list, text, button, image, stat, alert, badge, progress, divider, spacer",
        ),
        (json!({"type": "text"}), "spec.children[0] (`text`): missing field `text`"),
        (
            json!({"type": "spacer", "size": 3}),
            "spec.children[0] (`spacer`): unknown field `size`, there are no fields",
        ),
        (json!({"type": "image", "width": 1e9}), "spec.children[0].width: expected 0 to 4000 pixels"),
    ] {
        let arguments = json!({"spec": {"children": [child]}});
        assert_eq!(design.call("create_mockup", arguments).await.unwrap_err(), told);
    }
    let icon = json!({"spec": {"children": [{"type": "button", "text": "a", "icon": "rocket"}]}});
    let icon = design.call("create_mockup", icon).await.unwrap_err();
    let mut deep = json!({"type": "divider"});
    for _ in 0..40 {
        deep = json!({"type": "column", "children": [deep]});
    }
    let deep = design.call("create_mockup", json!({"spec": {"children": [deep]}})).await.unwrap_err();

    assert!(icon.starts_with("spec.children[0].icon: there is no icon `rocket`; there are home, "), "{icon}");
    assert!(deep.ends_with("elements lie more than 16 deep in one another"), "{deep}");
}
