//! `generate_palette`, checked by the Python packages coloraide and Pillow.

use serde_json::json;

use crate::support::{Design, pictures, python};

fn hexes(palette: &serde_json::Value) -> Vec<&str> {
    palette["colors"].as_array().unwrap().iter().map(|color| color["hex"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn values_contrasts_and_mapped_colours_are_those_of_coloraide() {
    let design = Design::new().await;
    let mut palettes = Vec::new();
    for (base, scheme) in [
        ("#3366cc", "complementary"),
        ("#ff0000", "triadic"),
        ("#00ff7f", "tetradic"),
        ("gold", "analogous"),
        ("#808080", "tints"),
        ("oklch(0.7 0.4 150)", "shades"),
        ("rgb(10, 20, 30)", "monochromatic"),
    ] {
        let arguments = json!({"base": base, "scheme": scheme, "count": 8});
        palettes.push(design.call("generate_palette", arguments).await.unwrap());
    }
    design.put("palettes.json", json!(palettes).to_string().as_bytes());

    let script = r##"
import json
from coloraide import Color
for palette in json.load(open("palettes.json")):
    for c in palette["colors"]:
        own = Color(c["hex"])
        l, chroma, hue = own.convert("oklch").coords(nans=False)
        assert abs(l - c["oklch"]["l"]) < 2e-3 and abs(chroma - c["oklch"]["c"]) < 2e-3, (c, l, chroma)
        assert chroma < 0.01 or abs((hue - c["oklch"]["h"] + 180) % 360 - 180) < 0.5, (c, hue)
        h, s, light = own.convert("hsl").coords(nans=False)
        assert abs(s * 100 - c["hsl"]["s"]) < 0.1 and abs(light * 100 - c["hsl"]["l"]) < 0.1, (c, s, light)
        for name in ("black", "white"):
            assert abs(own.contrast(name, method="wcag21") - c["contrast"][name]) < 0.01, c
    for pair in palette["neighbours"]:
        a, b = pair["colors"]
        assert abs(Color(a).contrast(b, method="wcag21") - pair["contrast"]) < 0.01, pair
# What lies outside of sRGB is mapped by reducing chroma.
for palette, base, turns in ((palette, palette["base"], turns) for palette, turns in zip(
        json.load(open("palettes.json")), ([0, 180], [0, 120, 240], [0, 90, 180, 270], [0, 30, -30]))):
    for i, turn in enumerate(turns):
        wanted = Color(base).convert("oklch")
        wanted["h"] += turn
        wanted = wanted.convert("srgb").fit(method="oklch-chroma")
        got = Color(palette["colors"][i]["hex"])
        assert wanted.delta_e(got, method="ok") < 0.004, (base, turn, wanted.to_string(hex=True), got)
mapped = Color("oklch(0.7 0.4 150)").convert("srgb").fit(method="oklch-chroma")
assert mapped.delta_e(Color(json.load(open("palettes.json"))[5]["base"]), method="ok") < 0.004
print("checked")
"##;
    if let Some(said) = python(&design, &["coloraide"], script) {
        assert_eq!(said.trim(), "checked");
    }
}

#[tokio::test]
async fn a_picture_gives_its_own_colours_the_same_each_time() {
    let design = Design::new().await;
    let script = r##"
from PIL import Image, ImageDraw
picture = Image.new("RGB", (400, 300), "#f4e3c1")
draw = ImageDraw.Draw(picture)
draw.rectangle((0, 200, 400, 300), fill="#264653")
draw.ellipse((260, 40, 340, 120), fill="#e76f51")
picture.save("scene.jpg", quality=95)
"##;
    if !design.can_run() || python(&design, &["PIL"], script).is_none() {
        return;
    }

    let first = design.call("generate_palette", json!({"image": "scene.jpg", "count": 3})).await.unwrap();
    let again = design.call("generate_palette", json!({"image": "scene.jpg", "count": 3})).await.unwrap();

    assert_eq!(first, again);
    let near = |hex: &str, r: i64, g: i64, b: i64| {
        let channel = |i: usize| i64::from_str_radix(&hex[i..i + 2], 16).unwrap();
        (channel(1) - r).abs() + (channel(3) - g).abs() + (channel(5) - b).abs() < 18
    };
    let found = hexes(&first);
    assert!(near(found[0], 0xf4, 0xe3, 0xc1), "{found:?}");
    assert!(near(found[1], 0x26, 0x46, 0x53), "{found:?}");
    assert!(near(found[2], 0xe7, 0x6f, 0x51), "{found:?}");
    let share = first["colors"][1]["share"].as_f64().unwrap();
    assert!((share - 1.0 / 3.0).abs() < 0.02, "{share}");
}

#[tokio::test]
async fn swatches_are_shown_and_saved_and_never_replaced_untold() {
    let design = Design::new().await;
    let arguments = json!({"mood": "playful", "count": 7, "output": "brand/colors"});

    let output = design.output("generate_palette", arguments.clone()).await.unwrap();
    let again = design.call("generate_palette", arguments).await.unwrap_err();

    assert_eq!(pictures(&output), ["image/png"]);
    assert_eq!(output.value["files"], json!(["brand/colors.png", "brand/colors.svg", "brand/colors.css"]));
    assert_eq!(again, "`brand/colors.png` is there already, and `overwrite` is false");
    let css = std::fs::read_to_string(design.path("brand/colors.css")).unwrap();
    assert!(css.contains("--color-7: #") && css.contains("--on-color-1: #"), "{css}");
}

#[tokio::test]
async fn what_is_no_colour_and_what_is_no_picture_is_told() {
    let design = Design::new().await;
    design.put("fake.png", b"\x89PNG\r\n\x1a\nnothing");

    let both = design.call("generate_palette", json!({"base": "red", "mood": "calm"})).await.unwrap_err();
    let colour = design.call("generate_palette", json!({"base": "bluish"})).await.unwrap_err();
    let picture = design.call("generate_palette", json!({"image": "fake.png"})).await.unwrap_err();
    let outside = design.call("generate_palette", json!({"image": "../x.png"})).await.unwrap_err();

    assert_eq!(both, "expected exactly one of `base`, `image` and `mood`");
    assert!(colour.starts_with("`bluish` is no colour: expected one such as `#3366cc`"), "{colour}");
    assert!(picture.starts_with("`fake.png` is no picture that can be used: it is broken"), "{picture}");
    assert!(outside.starts_with("`../x.png` lies outside of the folder"), "{outside}");
}
