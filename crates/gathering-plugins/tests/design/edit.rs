//! `edit_image` on pictures that Pillow made, with results that Pillow measures.

use serde_json::{Value, json};

use crate::support::{Design, pictures, python};

/// A photo-like picture, one that is turned by EXIF, one with transparency, and one of 16 bits.
const MAKE: &str = r##"
from PIL import Image, ImageDraw
import math
photo = Image.new("RGB", (640, 480))
photo.putdata([(x * 255 // 640, y * 255 // 480, int(127 + 120 * math.sin(x * y / 5000))) for y in range(480) for x in range(640)])
photo.save("photo.png")
photo.save("photo.jpg", quality=95)
exif = Image.Exif()
exif[0x0112] = 6
corner = Image.new("RGB", (300, 200), "white")
ImageDraw.Draw(corner).rectangle((0, 0, 40, 40), fill="red")
corner.save("turned.jpg", exif=exif, quality=95)
sign = Image.new("RGBA", (100, 50), (0, 0, 255, 128))
sign.save("sign.png")
Image.new("I;16", (20, 10), 40000).save("deep.png")
"##;

/// A design plugin with these pictures; none if they or the worker are not to be had.
async fn with_pictures() -> Option<Design> {
    let design = Design::new().await;
    design.can_run().then_some(())?;
    python(&design, &["PIL"], MAKE)?;
    Some(design)
}

async fn edit(design: &Design, path: &str, operations: Value, output: &str) -> Result<Value, String> {
    let arguments = json!({"path": path, "operations": operations, "output": output, "overwrite": true});
    design.call("edit_image", arguments).await
}

#[tokio::test]
async fn sizes_are_those_that_were_asked_for_and_pixels_those_of_pillow() {
    let Some(design) = with_pictures().await else { return };
    for (name, operations) in [
        ("fit", json!([{"op": "resize", "width": 200, "height": 200}])),
        ("wide", json!([{"op": "resize", "width": 320}])),
        ("fill", json!([{"op": "resize", "width": 200, "height": 200, "mode": "fill"}])),
        ("exact", json!([{"op": "resize", "width": 100, "height": 300, "mode": "exact"}])),
        ("crop", json!([{"op": "crop", "x": 10, "y": 20, "width": 100, "height": 50}])),
        ("right", json!([{"op": "rotate", "degrees": 90}])),
        ("tilted", json!([{"op": "rotate", "degrees": 30, "color": "#000000"}])),
        ("mirror", json!([{"op": "flip", "direction": "horizontal"}])),
        ("blur", json!([{"op": "blur", "radius": 5}])),
        ("sharp", json!([{"op": "sharpen", "radius": 2, "amount": 1.5}])),
        ("bright", json!([{"op": "brightness", "factor": 1.3}])),
        ("border", json!([{"op": "border", "size": 7, "color": "#ff8800"}])),
        ("signed", json!([{"op": "overlay", "path": "sign.png", "position": "bottom_right", "margin": 5}])),
        ("faint", json!([{"op": "overlay", "path": "sign.png", "x": 3, "y": 4, "opacity": 0.5}])),
    ] {
        edit(&design, "photo.png", operations, &format!("{name}.png")).await.unwrap();
    }

    let checked = python(
        &design,
        &["PIL"],
        r##"
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps, ImageStat
photo = Image.open("photo.png")
def near(name, wanted, most, crop=0):
    got = Image.open(name + ".png").convert("RGB")
    assert got.size == wanted.size, (name, got.size, wanted.size)
    difference = ImageChops.difference(got, wanted.convert("RGB"))
    if crop:
        difference = ImageOps.crop(difference, crop)
    mean = max(ImageStat.Stat(difference).mean)
    assert mean <= most, (name, mean)
L = Image.Resampling.LANCZOS
near("fit", photo.resize((200, 150), L), 0.6)
near("wide", photo.resize((320, 240), L), 0.6)
near("fill", ImageOps.fit(photo, (200, 200), L), 0.6)
near("exact", photo.resize((100, 300), L), 0.6)
near("crop", photo.crop((10, 20, 110, 70)), 0)
near("right", photo.transpose(Image.Transpose.ROTATE_270), 0)
near("mirror", ImageOps.mirror(photo), 0)
tilted = photo.rotate(-30, Image.Resampling.BILINEAR, expand=True)
got = Image.open("tilted.png")
assert abs(got.width - tilted.width) <= 1 and abs(got.height - tilted.height) <= 1, (got.size, tilted.size)
near("blur", photo.filter(ImageFilter.GaussianBlur(5)), 1.5, 20)
near("sharp", photo.filter(ImageFilter.UnsharpMask(2, 150, 0)), 1.5, 20)
near("bright", ImageEnhance.Brightness(photo).enhance(1.3), 0.6)
near("border", ImageOps.expand(photo, 7, "#ff8800"), 0)
sign = Image.open("sign.png")
laid = photo.convert("RGBA"); laid.alpha_composite(sign, (640 - 105, 480 - 55)); near("signed", laid, 0.05)
faint = sign.copy(); faint.putalpha(64); laid = photo.convert("RGBA"); laid.alpha_composite(faint, (3, 4)); near("faint", laid, 0.05)
print("checked")
"##,
    );
    assert_eq!(checked.as_deref().map(str::trim), Some("checked"));
}

#[tokio::test]
async fn colours_change_as_the_filters_of_css_do() {
    let Some(design) = with_pictures().await else { return };
    for (name, operation) in [
        ("contrast", json!({"op": "contrast", "factor": 1.5})),
        ("vivid", json!({"op": "saturation", "factor": 1.8})),
        ("grey", json!({"op": "grayscale"})),
    ] {
        edit(&design, "photo.png", json!([operation]), &format!("{name}.png")).await.unwrap();
    }

    let checked = python(
        &design,
        &["PIL"],
        r##"
from PIL import Image
photo, clamp = Image.open("photo.png"), lambda v: min(255, max(0, v))
weights = (0.213, 0.715, 0.072)
for name, change in {
    "contrast": lambda p: [(v / 255 - 0.5) * 1.5 * 255 + 127.5 for v in p],
    "vivid": lambda p: [sum(w * v for w, v in zip(weights, p)) * (1 - 1.8) + 1.8 * own for own in p],
    "grey": lambda p: [sum(w * v for w, v in zip(weights, p))] * 3,
}.items():
    got = Image.open(name + ".png")
    for at in [(0, 0), (100, 50), (320, 240), (639, 479), (500, 10), (7, 400)]:
        wanted = [clamp(v) for v in change(photo.getpixel(at))]
        assert all(abs(a - b) <= 1 for a, b in zip(got.getpixel(at), wanted)), (name, at, got.getpixel(at), wanted)
print("checked")
"##,
    );
    assert_eq!(checked.as_deref().map(str::trim), Some("checked"));
}

#[tokio::test]
async fn the_camera_s_orientation_is_applied_and_formats_are_what_they_are_called() {
    let Some(design) = with_pictures().await else { return };
    let same = json!([{"op": "brightness", "factor": 1}]);

    let turned = edit(&design, "turned.jpg", same.clone(), "upright.jpg").await.unwrap();
    for ending in ["png", "jpg", "webp", "gif", "bmp", "tiff"] {
        edit(&design, "photo.png", same.clone(), &format!("as.{ending}")).await.unwrap();
    }
    let small = json!([{"op": "convert", "format": "jpeg", "quality": 20}]);
    let small = edit(&design, "photo.png", small, "small.jpg").await.unwrap();
    let fine = json!([{"op": "convert", "format": "jpeg", "quality": 95}]);
    let fine = edit(&design, "photo.png", fine, "fine.jpg").await.unwrap();
    edit(&design, "sign.png", json!([{"op": "convert", "format": "jpeg", "color": "#ffff00"}]), "sign.jpg")
        .await
        .unwrap();
    edit(&design, "deep.png", same, "flat.png").await.unwrap();

    assert_eq!((&turned["width"], &turned["height"]), (&json!(200), &json!(300)));
    assert!(small["bytes"].as_u64() < fine["bytes"].as_u64());
    let checked = python(
        &design,
        &["PIL"],
        r##"
from PIL import Image, ImageOps
upright = Image.open("upright.jpg")
assert upright.getexif().get(0x0112) in (None, 1)
right = ImageOps.exif_transpose(Image.open("turned.jpg"))
assert upright.size == right.size and upright.getpixel((190, 10))[1] < 60 < 200 < upright.getpixel((10, 10))[1]
for ending, name in {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}.items():
    assert Image.open("as." + ending).format == name
r, g, b = Image.open("sign.jpg").getpixel((50, 25))
assert abs(r - 127) < 6 and abs(g - 127) < 6 and abs(b - 128) < 6, (r, g, b)
flat = Image.open("flat.png").getpixel((3, 3))
assert flat[:3] == (156, 156, 156) or flat[:3] == (155, 155, 155), flat
print("checked")
"##,
    );
    assert_eq!(checked.as_deref().map(str::trim), Some("checked"));
}

#[tokio::test]
async fn a_bad_operation_is_named_and_the_file_stays_as_it_was() {
    let Some(design) = with_pictures().await else { return };
    let before = std::fs::read(design.path("photo.png")).unwrap();
    let good = json!({"op": "resize", "width": 100});

    for (bad, told) in [
        (
            json!({"op": "crop", "x": 90, "width": 20, "height": 10}),
            "operations[1] (`crop`): 20 x 10 pixels at 90, 0 stand out of the picture, which has 100 x 75 here; nothing was \
             written",
        ),
        (
            json!({"op": "crop", "width": 20}),
            "operations[1] (`crop`): missing field `height`; nothing was written",
        ),
        (
            json!({"op": "resize"}),
            "operations[1] (`resize`): expected a `width`, a `height`, or both; nothing was written",
        ),
        (
            json!({"op": "overlay", "path": "absent.png"}),
            "operations[1] (`overlay`): there is no `absent.png`; nothing was written",
        ),
        (
            json!({"op": "resize", "width": 20000, "height": 20000, "mode": "exact"}),
            "operations[1] (`resize`): a picture of 20000 x 20000 pixels is not taken: at most 20000 a side and 100 million \
             in all; nothing was written",
        ),
        (
            json!({"op": "convert", "format": "jpeg"}),
            "operations[1] (`convert`): the result would be jpeg under a name of png: give an `output` that ends in .jpeg; \
             nothing was written",
        ),
        (
            json!({"op": "convert", "format": "png", "quality": 5}),
            "operations[1] (`convert`): `quality` is for JPEG: the other formats are written without loss; nothing was \
             written",
        ),
    ] {
        let arguments = json!({"path": "photo.png", "operations": [good, bad]});
        assert_eq!(design.call("edit_image", arguments).await.unwrap_err(), told);
    }
    let unknown = json!({"path": "photo.png", "operations": [{"op": "resise", "width": 9}]});
    let unknown = design.call("edit_image", unknown).await.unwrap_err();

    assert!(unknown.contains("/operations/0/op"), "{unknown}");
    assert_eq!(std::fs::read(design.path("photo.png")).unwrap(), before);
}

#[tokio::test]
async fn text_is_drawn_and_a_result_is_shown_and_never_put_over_another_file_untold() {
    let Some(design) = with_pictures().await else { return };
    let operations =
        json!([{"op": "text", "text": "Hello\nworld", "position": "top", "color": "white", "bold": true}]);
    let arguments = json!({"path": "photo.png", "operations": operations, "output": "photo.jpg"});

    let refused = design.call("edit_image", arguments).await.unwrap_err();
    let in_place = json!({"path": "photo.png", "operations": operations});
    let output = design.output("edit_image", in_place).await.unwrap();

    assert_eq!(refused, "`photo.jpg` is there already, and `overwrite` is false");
    assert_eq!(pictures(&output), ["image/png"]);
    assert_eq!(output.value["path"], "photo.png");
    let script = "from PIL import Image\np = Image.open('photo.png').convert('RGB')\n\
        print(sum(1 for x in range(240, 400) for y in range(10, 110) if p.getpixel((x, y)) == (255, 255, 255)))";
    let white: u32 = python(&design, &["PIL"], script).unwrap().trim().parse().unwrap();
    assert!(white > 300, "{white} pixels are white");
}

#[tokio::test]
async fn what_claims_to_be_enormous_and_what_is_broken_is_refused() {
    let Some(design) = with_pictures().await else { return };
    let script = r##"
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
open("bomb.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 6, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b""))
open("half.jpg", "wb").write(open("photo.jpg", "rb").read()[:200])
open("text.png", "w").write("no picture at all")
"##;
    python(&design, &["zlib"], script).unwrap();
    let turn = json!([{"op": "rotate", "degrees": 90}]);

    for (path, told) in [
        ("bomb.png", "it is too large: at most 20000 pixels a side"),
        ("half.jpg", "it is broken, or of a kind that is not supported"),
        ("text.png", "it is no picture that is known: expected PNG, JPEG, WebP, GIF, BMP or TIFF"),
    ] {
        let error = edit(&design, path, turn.clone(), "out.png").await.unwrap_err();
        assert!(error.starts_with(&format!("`{path}` is no picture that can be used: ")), "{error}");
        assert!(error.contains(told), "{error}");
    }
    assert!(!design.path("out.png").exists());
}
