//! `generate_image`: pictures from words, by the provider that the operator chose.

mod provider;

use std::sync::Arc;

use gathering_core::{CallContext, Health, HealthStatus, ToolOutput};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::provider::{Provider, SECRETS, Settings};
use super::edit::{Edit, result_of};
use super::{Design, on_a_thread, with_picture};
use crate::Failure;

/// What to do where there is no provider.
const NO_PROVIDER: &str = "no provider of pictures is configured: the operator sets `image_provider` of the plugin `design`, \
    such as {\"kind\": \"openai\"}, and with `gathering secrets set OPENAI_API_KEY` and `gathering plugins grant design \
    secret=OPENAI_API_KEY` its key";

/// What is to be on a picture, and how large it is.
pub(super) struct Wish {
    pub(super) prompt: String,
    pub(super) negative_prompt: Option<String>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) seed: Option<u32>,
}

pub(super) fn definition() -> Value {
    json!({
        "name": "generate_image",
        "description": "Makes a picture from a description, by the provider that the operator chose (OpenAI-compatible, \
            Stability AI or AUTOMATIC1111), saves it as PNG in the working folder and shows it. What a provider makes in \
            other proportions is cut to those asked for.",
        "category": "image",
        "required_competencies": ["ai_image_generation"],
        "parameters": {
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "minLength": 1, "maxLength": 8000, "description": "What is to be seen, and in which \
                    manner"},
                "width": {"type": "integer", "default": 512, "minimum": 64, "maximum": 4096, "description": "In pixels"},
                "height": {"type": "integer", "default": 512, "minimum": 64, "maximum": 4096, "description": "In pixels"},
                "negative_prompt": {"type": "string", "maxLength": 8000, "description": "What is not to be seen; not with \
                    OpenAI"},
                "seed": {"type": "integer", "minimum": 0, "maximum": 4_294_967_294_u32, "description": "Makes the same picture \
                    again; not with OpenAI"},
                "output": {"type": "string", "minLength": 1, "description": "Where to save it, such as `hero.png`; by default \
                    in `generated`, under words of the prompt"},
                "overwrite": {"type": "boolean", "default": false, "description": "Whether a file that is there is replaced"},
            },
            "required": ["prompt"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "What was written"},
                "width": {"type": "integer", "description": "In pixels"},
                "height": {"type": "integer", "description": "In pixels"},
                "provider": {"type": "string", "description": "Who made it"},
                "model": {"type": "string", "description": "With what"},
            },
            "required": ["path", "width", "height", "provider"],
        },
        "examples": [
            {"description": "A picture for a page's head", "needs": "a provider", "arguments":
                {"prompt": "A lighthouse at dawn, flat illustration, muted colours", "width": 1024, "height": 576,
                 "output": "hero.png"}},
        ],
        "annotations": {"read_only": false, "destructive": true, "idempotent": false, "open_world": true},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    prompt: String,
    width: u32,
    height: u32,
    negative_prompt: Option<String>,
    seed: Option<u32>,
    output: Option<String>,
    overwrite: bool,
}

pub(super) async fn generate_image(
    design: Arc<Design>,
    arguments: Arguments,
    cx: CallContext,
) -> Result<ToolOutput, Failure> {
    let provider = design.provider.as_ref().ok_or(NO_PROVIDER)?;
    let Arguments { prompt, width, height, negative_prompt, seed, output, overwrite } = arguments;
    let path = match output {
        Some(path) if path.to_ascii_lowercase().ends_with(".png") => path,
        Some(_) => return Err("expected an `output` that ends in `.png`; `edit_image` converts it".into()),
        None => invented(&prompt)?,
    };
    let wish = Wish { prompt, negative_prompt, width, height, seed };
    let made = provider.make(&wish, &design).await?;
    // What a stranger sends is decoded in the worker, brought to its size, and written anew.
    let edit = Edit::to_png(wish.width, wish.height, design.config.max_file_bytes);
    let (edited, bytes) = result_of(&design, "generate_image", &cx, edit, made).await?;
    let (saver, target, file) = (design.clone(), path.clone(), bytes.clone());
    on_a_thread(move || saver.save(&target, &file, overwrite)).await?;
    let value = json!({
        "path": path,
        "width": edited.width,
        "height": edited.height,
        "provider": provider.word(),
        "model": provider.model(),
    });
    Ok(with_picture(value, &bytes, "image/png"))
}

/// A path of the first words of the prompt, and some letters that nobody chose.
fn invented(prompt: &str) -> Result<String, Failure> {
    let words: Vec<String> = prompt
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(5)
        .map(|word| word.chars().take(16).collect::<String>().to_ascii_lowercase())
        .collect();
    let random = getrandom::u32().map_err(|error| format!("no name could be made: {error}"))?;
    let words = if words.is_empty() { "picture".to_owned() } else { words.join("-") };
    Ok(format!("generated/{words}-{random:08x}.png"))
}

/// How the plugin feels: it works in part where nobody makes pictures.
pub(super) fn health(provider: Option<&Provider>) -> Health {
    if provider.is_some() {
        return Health::healthy();
    }
    let mut health = Health::healthy();
    health.status = HealthStatus::Degraded;
    health.details.insert("generate_image".to_owned(), NO_PROVIDER.into());
    health
}
