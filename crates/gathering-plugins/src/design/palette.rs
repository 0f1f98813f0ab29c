//! `generate_palette`: colours that go together, from a colour, a picture or a mood.

mod cluster;
mod job;
mod mood;
mod scheme;
mod swatch;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use gathering_core::{CallContext, ToolOutput};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::job::TakeColors;
use self::scheme::Scheme;
use super::color::{Color, level, rounded};
use super::{Design, draw, on_a_thread, picture};
use crate::Failure;

pub(super) fn definition() -> Value {
    json!({
        "name": "generate_palette",
        "description": "Makes a palette of colours that go together, in OKLCH, from one colour (`base`), from a picture \
            (`image`) or from a mood (`mood`): exactly one of the three. Gives each colour with its name, hex, RGB, HSL, \
            OKLCH and WCAG contrasts, CSS variables, and the swatches as a picture; `output` saves the swatches as well.",
        "category": "image",
        "required_competencies": ["color_theory"],
        "parameters": {
            "type": "object",
            "properties": {
                "base": {
                    "type": "string", "maxLength": 64,
                    "description": "The colour to start from, such as `#3366cc`, `rgb(51, 102, 204)`, `hsl(220, 60%, 50%)`, \
                        `oklch(0.53 0.16 260)` or a CSS name such as `teal`",
                },
                "image": {
                    "type": "string",
                    "description": "A picture in the working folder (PNG, JPEG, WebP, GIF, BMP, TIFF), whose colours are \
                        taken",
                },
                "mood": {"type": "string", "enum": mood::words(), "description": "A mood to set"},
                "scheme": {
                    "type": "string",
                    "enum": ["complementary", "analogous", "triadic", "tetradic", "monochromatic", "tints", "shades"],
                    "description": "How the colours relate. By default `complementary` for a `base`, what suits a `mood`; an \
                        `image` gives its own colours, and with a scheme what follows from the most frequent one",
                },
                "count": {
                    "type": "integer", "default": 5, "minimum": 1, "maximum": 16,
                    "description": "How many colours",
                },
                "output": {
                    "type": "string", "minLength": 1,
                    "description": "Where to save, without ending, such as `brand/palette`: `.png`, `.svg` and `.css` are \
                        written. Nothing is written without it",
                },
                "overwrite": {
                    "type": "boolean", "default": false,
                    "description": "Whether files that are there are replaced",
                },
            },
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "base": {"type": "string", "description": "The colour that the others follow from, as hex"},
                "scheme": {"type": "string", "description": "How they relate; `picture` for a picture's own"},
                "colors": {"type": "array", "items": {"type": "object"}, "description": "Each with name, hex, rgb, hsl, oklch \
                    and contrast (against black and white, the better text colour, the WCAG level that it reaches); from a \
                    picture also its share"},
                "neighbours": {"type": "array", "items": {"type": "object"}, "description": "The contrast between each colour \
                    and the next"},
                "css": {"type": "string", "description": "A rule with the variables `--color-1` and `--on-color-1` and so on"},
                "svg": {"type": "string", "description": "The swatches"},
                "files": {"type": "array", "items": {"type": "string"}, "description": "What was written"},
            },
            "required": ["base", "scheme", "colors", "neighbours", "css", "svg", "files"],
        },
        "examples": [
            {"description": "Four colours around a brand colour", "arguments":
                {"base": "#3366cc", "scheme": "tetradic", "count": 4}},
            {"description": "A ramp of one hue", "arguments": {"base": "teal", "scheme": "monochromatic", "count": 9}},
            {"description": "Colours for a mood", "arguments": {"mood": "calm"}},
        ],
        "annotations": {"read_only": false, "destructive": true, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    base: Option<String>,
    image: Option<String>,
    mood: Option<String>,
    scheme: Option<Scheme>,
    count: usize,
    output: Option<String>,
    overwrite: bool,
}

/// A colour and, from a picture, its share.
type Shared = (Color, Option<f64>);

/// The colour that others follow from, how they do, and all of them.
type Chosen = (Color, Option<Scheme>, Vec<Shared>);

pub(super) async fn generate_palette(
    design: Arc<Design>,
    arguments: Arguments,
    cx: CallContext,
) -> Result<ToolOutput, Failure> {
    let chosen = colors(&design, &arguments, &cx).await?;
    on_a_thread(move || show(&design, &arguments, chosen)).await
}

/// Draws the palette, describes it and saves it, if it is to be saved.
fn show(
    design: &Design,
    arguments: &Arguments,
    (base, scheme, colors): Chosen,
) -> Result<ToolOutput, Failure> {
    let svg = swatch::svg(&title(arguments, scheme), &labelled(&colors));
    let png = draw::png(&svg, 1.0)?;
    let css = css(&colors);
    let mut files = Vec::new();
    if let Some(stem) = &arguments.output {
        let wanted = [("png", png.as_slice()), ("svg", svg.as_bytes()), ("css", css.as_bytes())];
        files = design.save_all(stem, &wanted, arguments.overwrite)?;
    }
    let neighbours: Vec<_> = colors
        .windows(2)
        .map(|pair| {
            let contrast = pair[0].0.contrast(pair[1].0);
            json!({
                "colors": [pair[0].0.hex(), pair[1].0.hex()],
                "contrast": rounded(contrast, 2),
                "level": level(contrast),
            })
        })
        .collect();
    let described: Vec<_> = colors
        .iter()
        .map(|(color, share)| {
            let mut described = color.described();
            if let Some(share) = share {
                described["share"] = json!(rounded(*share, 4));
            }
            described
        })
        .collect();
    let value = json!({
        "base": base.hex(),
        "scheme": scheme.map_or("picture", Scheme::word),
        "colors": described,
        "neighbours": neighbours,
        "css": css,
        "svg": svg,
        "files": files,
    });
    Ok(super::with_picture(value, &png, "image/png"))
}

async fn colors(design: &Arc<Design>, arguments: &Arguments, cx: &CallContext) -> Result<Chosen, Failure> {
    let Arguments { base, image, mood, scheme, count, .. } = arguments;
    let from = |base: Color, scheme: Scheme| {
        let colors = scheme.colors(base, *count).into_iter().map(|color| (color, None)).collect();
        Ok((base, Some(scheme), colors))
    };
    match (base, image, mood) {
        (Some(base), None, None) => from(Color::parse(base)?, scheme.unwrap_or(Scheme::Complementary)),
        (None, None, Some(mood)) => {
            let (base, usual) = mood::find(mood).ok_or("there is no such mood")?;
            from(base, scheme.unwrap_or(usual))
        }
        (None, Some(path), None) => {
            let (shared, given) = (design.clone(), path.clone());
            let file = on_a_thread(move || shared.base.open_file(&given)).await?;
            let job = TakeColors { count: *count, most_bytes: design.config.max_file_bytes };
            let found = design.workers.run("generate_palette", cx, job, vec![OwnedFd::from(file)]).await?;
            let mut colors = Vec::new();
            for (hex, share) in found.map_err(|reason| picture::unreadable(path, &reason))? {
                colors.push((Color::parse(&hex)?, Some(share)));
            }
            let base = colors.first().ok_or("the picture has no colours")?.0;
            match scheme {
                Some(scheme) => from(base, *scheme),
                None => Ok((base, None, colors)),
            }
        }
        _ => Err("expected exactly one of `base`, `image` and `mood`".into()),
    }
}

fn title(arguments: &Arguments, scheme: Option<Scheme>) -> String {
    let scheme = scheme.map_or("", Scheme::word);
    let from = match (&arguments.base, &arguments.image, &arguments.mood) {
        (Some(base), ..) => base.as_str(),
        (_, Some(image), _) => image.rsplit('/').next().unwrap_or(image),
        (_, _, Some(mood)) => mood.as_str(),
        _ => "",
    };
    if scheme.is_empty() { format!("Colours of {from}") } else { format!("{from} · {scheme}") }
}

fn labelled(colors: &[Shared]) -> Vec<(Color, String)> {
    let share = |share: &Option<f64>| {
        share.map_or_else(String::new, |share| format!("{} %", rounded(share * 100.0, 1)))
    };
    colors.iter().map(|(color, part)| (*color, share(part))).collect()
}

fn css(colors: &[Shared]) -> String {
    let rules = colors.iter().enumerate().map(|(i, (color, _))| {
        let (n, name) = (i + 1, color.name());
        format!("  --color-{n}: {}; /* {name} */\n  --on-color-{n}: {};\n", color.hex(), color.text().hex())
    });
    format!(":root {{\n{}}}\n", rules.collect::<String>())
}
