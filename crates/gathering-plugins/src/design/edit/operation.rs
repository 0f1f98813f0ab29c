//! The operations of `edit_image` as they are written, and what they must hold.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::color::Color;
use super::super::picture::MAX_SIDE;
use super::write::Format;
use crate::Failure;

/// One change of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Operation {
    Resize(Resize),
    Crop(Crop),
    Rotate(Rotate),
    Flip(Flip),
    Blur(Blur),
    Sharpen(Sharpen),
    Brightness(Factor),
    Contrast(Factor),
    Saturation(Factor),
    Grayscale(Nothing),
    Overlay(Overlay),
    Text(Text),
    Border(Border),
    Convert(Convert),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resize {
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// How a picture comes to a size of other proportions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It is as large as it can be inside of the size.
    #[default]
    Fit,
    /// It fills the size, and what stands out in the middle of two sides is cut off.
    Fill,
    /// It is stretched.
    Exact,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crop {
    #[serde(default)]
    pub(crate) x: u32,
    #[serde(default)]
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    pub(crate) degrees: f64,
    pub(crate) color: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flip {
    pub(crate) direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    Horizontal,
    Vertical,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blur {
    pub(crate) radius: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sharpen {
    #[serde(default = "one_and_a_half")]
    pub(crate) radius: f32,
    #[serde(default = "one")]
    pub(crate) amount: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Factor {
    pub(crate) factor: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overlay {
    pub(crate) path: String,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) x: Option<i64>,
    pub(crate) y: Option<i64>,
    pub(crate) position: Option<Position>,
    #[serde(default)]
    pub(crate) margin: u32,
    #[serde(default = "one")]
    pub(crate) opacity: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    pub(crate) text: String,
    #[serde(default = "text_size")]
    pub(crate) size: f32,
    #[serde(default = "black")]
    pub(crate) color: String,
    pub(crate) background: Option<String>,
    pub(crate) font: Option<String>,
    #[serde(default)]
    pub(crate) bold: bool,
    pub(crate) max_width: Option<u32>,
    pub(crate) x: Option<i64>,
    pub(crate) y: Option<i64>,
    pub(crate) position: Option<Position>,
    #[serde(default = "text_margin")]
    pub(crate) margin: u32,
}

/// Where something lies on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Position {
    TopLeft,
    Top,
    TopRight,
    Left,
    Center,
    Right,
    BottomLeft,
    Bottom,
    BottomRight,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Border {
    pub(crate) size: u32,
    #[serde(default = "black")]
    pub(crate) color: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Convert {
    pub(crate) format: Format,
    pub(crate) quality: Option<u8>,
    #[serde(default = "white")]
    pub(crate) color: String,
}

fn one() -> f32 {
    1.0
}
fn one_and_a_half() -> f32 {
    1.5
}
fn text_size() -> f32 {
    32.0
}
fn text_margin() -> u32 {
    16
}
fn black() -> String {
    "black".to_owned()
}
fn white() -> String {
    "white".to_owned()
}

const WORDS: [&str; 14] = [
    "resize",
    "crop",
    "rotate",
    "flip",
    "blur",
    "sharpen",
    "brightness",
    "contrast",
    "saturation",
    "grayscale",
    "overlay",
    "text",
    "border",
    "convert",
];

/// The schema of one operation: the fields of all of them, each with those that take it.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "op": {"type": "string", "enum": WORDS, "description": "What to do"},
            "width": {"type": "integer", "minimum": 1, "maximum": MAX_SIDE, "description": "In pixels. resize: of one side \
                alone the other follows; crop: needed; overlay: makes it that wide"},
            "height": {"type": "integer", "minimum": 1, "maximum": MAX_SIDE, "description": "In pixels, as `width`"},
            "mode": {"type": "string", "enum": ["fit", "fill", "exact"], "description": "resize: `fit` (default) stays inside \
                of the size, `fill` fills it and cuts off what stands out, `exact` stretches"},
            "x": {"type": "integer", "description": "Pixels from the left. crop: of the part that stays; overlay, text: where \
                it begins, in the place of `position`"},
            "y": {"type": "integer", "description": "Pixels from the top, as `x`"},
            "degrees": {"type": "number", "minimum": -360, "maximum": 360, "description": "rotate: clockwise; the picture \
                grows where corners stand out"},
            "direction": {"type": "string", "enum": ["horizontal", "vertical"], "description": "flip: `horizontal` exchanges \
                left and right"},
            "radius": {"type": "number", "minimum": 0.1, "maximum": 200, "description": "blur, sharpen: the standard deviation \
                in pixels; sharpen: 1.5 by default"},
            "amount": {"type": "number", "minimum": 0, "maximum": 10, "description": "sharpen: how much; 1 by default"},
            "factor": {"type": "number", "minimum": 0, "maximum": 10, "description": "brightness, contrast, saturation: 1 \
                changes nothing, 0 takes all of it away, 2 doubles it"},
            "path": {"type": "string", "description": "overlay: the picture to lay on it"},
            "position": {
                "type": "string",
                "enum": ["top_left", "top", "top_right", "left", "center", "right", "bottom_left", "bottom", "bottom_right"],
                "description": "overlay, text: where it lies; `center` by default",
            },
            "margin": {"type": "integer", "minimum": 0, "maximum": MAX_SIDE, "description": "overlay, text: how far from the \
                edge `position` is, in pixels; 0 and 16 by default"},
            "opacity": {"type": "number", "minimum": 0, "maximum": 1, "description": "overlay: 1 by default"},
            "text": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "text: what to write; lines end with \
                \\n"},
            "size": {"type": "number", "minimum": 1, "maximum": 2000, "description": "text: of the letters, 32 by default; \
                border: its width (a whole number). In pixels"},
            "color": {"type": "string", "maxLength": 64, "description": "text, border: black by default; rotate: of the corners, \
                transparent by default; convert: what is put behind a transparent picture for a format without \
                transparency, white by default. As in `generate_palette`"},
            "background": {"type": "string", "maxLength": 64, "description": "text: a colour behind it; none by default"},
            "font": {"type": "string", "maxLength": 100, "description": "text: a family of fonts; one of the system by default"},
            "bold": {"type": "boolean", "description": "text: false by default"},
            "max_width": {"type": "integer", "minimum": 16, "maximum": MAX_SIDE, "description": "text: where lines are wrapped, \
                in pixels"},
            "format": {"type": "string", "enum": ["png", "jpeg", "webp", "gif", "bmp", "tiff"], "description": "convert: into \
                which format"},
            "quality": {"type": "integer", "minimum": 1, "maximum": 100, "description": "convert: of a JPEG, 85 by default; the \
                other formats are written without loss"},
        },
        "required": ["op"],
        "additionalProperties": false,
    })
}

/// Reads the operations; what is wrong with one is told with its place.
pub(super) fn read(written: &[Value]) -> Result<Vec<Operation>, Failure> {
    let mut operations = Vec::new();
    for (index, value) in written.iter().enumerate() {
        let word = value["op"].as_str().unwrap_or_default();
        let operation: Operation = serde_json::from_value(value.clone())
            .map_err(|error| at(index, word, Failure::new(error.to_string())))?;
        operation.check().map_err(|reason| at(index, word, reason))?;
        operations.push(operation);
    }
    Ok(operations)
}

/// A failure with the place of the operation that it belongs to.
pub(super) fn at(index: usize, word: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Message(message) => {
            format!("operations[{index}] (`{word}`): {message}; nothing was written").into()
        }
        error @ Failure::Error(_) => error,
    }
}

impl Operation {
    /// The word for it, such as `resize`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Resize(_) => "resize",
            Self::Crop(_) => "crop",
            Self::Rotate(_) => "rotate",
            Self::Flip(_) => "flip",
            Self::Blur(_) => "blur",
            Self::Sharpen(_) => "sharpen",
            Self::Brightness(_) => "brightness",
            Self::Contrast(_) => "contrast",
            Self::Saturation(_) => "saturation",
            Self::Grayscale(_) => "grayscale",
            Self::Overlay(_) => "overlay",
            Self::Text(_) => "text",
            Self::Border(_) => "border",
            Self::Convert(_) => "convert",
        }
    }

    /// What can be seen to be wrong without the picture.
    fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Resize(Resize { width: None, height: None, .. }) => {
                Err("expected a `width`, a `height`, or both".into())
            }
            Self::Resize(Resize { width, height, mode: Mode::Fill | Mode::Exact })
                if width.is_none() || height.is_none() =>
            {
                Err("this `mode` needs both `width` and `height`".into())
            }
            Self::Overlay(Overlay { x, y, position, .. }) | Self::Text(Text { x, y, position, .. })
                if position.is_some() && (x.is_some() || y.is_some()) =>
            {
                Err("expected either `position`, or `x` and `y`".into())
            }
            Self::Rotate(Rotate { color: Some(color), .. }) => Color::parse(color).map(drop),
            Self::Border(Border { color, .. }) => Color::parse(color).map(drop),
            Self::Convert(Convert { format, quality: Some(_), .. }) if *format != Format::Jpeg => {
                Err("`quality` is for JPEG: the other formats are written without loss".into())
            }
            Self::Convert(Convert { color, .. }) => Color::parse(color).map(drop),
            _ => Ok(()),
        }
    }
}
