//! The providers of pictures, each in the words of its own documentation.
//!
//! OpenAI: <https://platform.openai.com/docs/api-reference/images/create>. Stability AI:
//! <https://platform.stability.ai/docs/api-reference#tag/Generate> (v2beta). AUTOMATIC1111: the `/docs` of a running web UI.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Design;
use super::Wish;
use crate::Failure;
use crate::http::{Http, HttpError, bearer, below, secret_header, service_address};

/// The secrets that a provider may be given.
pub(in super::super) const SECRETS: [&str; 4] =
    ["OPENAI_API_KEY", "STABILITY_API_KEY", "AUTOMATIC1111_AUTH", "IMAGE_API_KEY"];

/// The setting `image_provider`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Settings {
    kind: Kind,
    url: Option<String>,
    model: Option<String>,
    secret: Option<String>,
    #[serde(default = "two_minutes")]
    timeout_seconds: u64,
}

fn two_minutes() -> u64 {
    120
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Openai,
    Stability,
    Automatic1111,
}

/// Whoever makes pictures.
pub(in super::super) struct Provider {
    kind: Kind,
    address: Url,
    model: String,
    secret: String,
    /// Whether it is the provider's own service, which answers nobody without a key.
    needs_key: bool,
    http: Http,
}

impl Provider {
    /// The provider of the settings; says what is wrong with them.
    pub(in super::super) fn new(settings: &Settings) -> Result<Self, String> {
        let (usual_address, usual_model, usual_secret) = match settings.kind {
            Kind::Openai => ("https://api.openai.com/v1", "gpt-image-1", "OPENAI_API_KEY"),
            Kind::Stability => ("https://api.stability.ai", "core", "STABILITY_API_KEY"),
            Kind::Automatic1111 => ("http://127.0.0.1:7860", "", "AUTOMATIC1111_AUTH"),
        };
        let address = service_address(settings.url.as_deref().unwrap_or(usual_address))
            .map_err(|error| format!("image_provider.url: {error}"))?;
        Ok(Self {
            kind: settings.kind,
            address,
            model: settings.model.clone().unwrap_or_else(|| usual_model.to_owned()),
            secret: settings.secret.clone().unwrap_or_else(|| usual_secret.to_owned()),
            needs_key: settings.url.is_none() && settings.kind != Kind::Automatic1111,
            http: Http::new(Duration::from_secs(settings.timeout_seconds.clamp(1, 600)))?,
        })
    }

    /// Its word in the settings.
    pub(super) fn word(&self) -> &'static str {
        match self.kind {
            Kind::Openai => "openai",
            Kind::Stability => "stability",
            Kind::Automatic1111 => "automatic1111",
        }
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Has a picture made, and gives the bytes that came.
    pub(super) async fn make(&self, wish: &Wish, design: &Design) -> Result<Vec<u8>, Failure> {
        let key = design.secret(&self.secret).await?;
        if key.is_none() && self.needs_key {
            let name = &self.secret;
            return Err(format!(
                "the provider `{}` needs a key: the operator sets it with `gathering secrets set {name}` and allows it with \
                 `gathering plugins grant design secret={name}`",
                self.word()
            )
            .into());
        }
        let most = design.config.max_file_bytes.saturating_mul(4) / 3 + 65_536;
        let made = match self.kind {
            Kind::Openai => self.openai(wish, key.as_deref(), most).await,
            Kind::Stability => self.stability(wish, key.as_deref(), most).await,
            Kind::Automatic1111 => self.automatic1111(wish, key.as_deref(), most).await,
        };
        made.map_err(|error| Failure::new(error.to_string()))
    }

    async fn openai(&self, wish: &Wish, key: Option<&str>, most: usize) -> Result<Vec<u8>, Told> {
        if wish.negative_prompt.is_some() || wish.seed.is_some() {
            return Err(Told::Caller(
                "this provider takes neither `negative_prompt` nor `seed`: leave them out",
            ));
        }
        let is_gpt = self.model.starts_with("gpt-image");
        let mut body =
            json!({"model": self.model, "prompt": wish.prompt, "n": 1, "size": self.openai_size(wish)});
        if !is_gpt {
            // The models of that name answer so by themselves, and refuse to be asked to.
            body["response_format"] = "b64_json".into();
        }
        let mut request = self.http.post(below(&self.address, &["images", "generations"])).json(&body);
        if let Some(key) = key {
            request = bearer(request, key)?;
        }
        let answer = self.http.send(request, most).await?;
        let said: Value = answer.json()?;
        if let Some(encoded) = said.pointer("/data/0/b64_json").and_then(Value::as_str) {
            return decoded(encoded)
                .ok_or_else(|| answer.unexpected("`data[0].b64_json` is no base64").into());
        }
        let Some(url) = said.pointer("/data/0/url").and_then(Value::as_str) else {
            return Err(answer.unexpected("expected `data[0].b64_json` or `data[0].url`").into());
        };
        let address = service_address(url)?;
        // Whoever can answer for the provider could name an address inside of this network.
        if address.scheme() != "https" && address.origin() != self.address.origin() {
            return Err(answer
                .unexpected("the picture is at an address that is neither https nor its own")
                .into());
        }
        Ok(self.http.send(self.http.get(address), most).await?.body)
    }

    /// The size that a model makes which is nearest in its proportions; other models are asked for what was asked for.
    fn openai_size(&self, wish: &Wish) -> String {
        let sizes: &[(u32, u32)] = match self.model.as_str() {
            model if model.starts_with("gpt-image") => &[(1024, 1024), (1536, 1024), (1024, 1536)],
            "dall-e-3" => &[(1024, 1024), (1792, 1024), (1024, 1792)],
            "dall-e-2" => match wish.width.max(wish.height) {
                0..=256 => &[(256, 256)],
                257..=512 => &[(512, 512)],
                _ => &[(1024, 1024)],
            },
            _ => return format!("{}x{}", wish.width, wish.height),
        };
        let (width, height) = nearest(sizes, wish);
        format!("{width}x{height}")
    }

    async fn stability(&self, wish: &Wish, key: Option<&str>, most: usize) -> Result<Vec<u8>, Told> {
        let ratios = [(1, 1), (16, 9), (9, 16), (21, 9), (9, 21), (3, 2), (2, 3), (5, 4), (4, 5)];
        let (across, down) = nearest(&ratios, wish);
        let mut fields = vec![
            ("prompt", wish.prompt.clone()),
            ("aspect_ratio", format!("{across}:{down}")),
            ("output_format", "png".to_owned()),
        ];
        fields.extend(wish.negative_prompt.clone().map(|text| ("negative_prompt", text)));
        fields.extend(wish.seed.map(|seed| ("seed", seed.to_string())));
        let (kind, body) = form(&fields)?;
        let address = below(&self.address, &["v2beta", "stable-image", "generate", &self.model]);
        let mut request =
            self.http.post(address).header(ACCEPT, "image/*").header(CONTENT_TYPE, kind).body(body);
        if let Some(key) = key {
            request = bearer(request, key)?;
        }
        let answer = self.http.send(request, most).await?;
        if !answer.media_type.starts_with("image/") {
            return Err(answer.unexpected(format!("expected a picture, got `{}`", answer.media_type)).into());
        }
        Ok(answer.body)
    }

    async fn automatic1111(&self, wish: &Wish, key: Option<&str>, most: usize) -> Result<Vec<u8>, Told> {
        // It makes sizes that 8 divides.
        let mut body = json!({
            "prompt": wish.prompt,
            "negative_prompt": wish.negative_prompt.clone().unwrap_or_default(),
            "width": wish.width.next_multiple_of(8),
            "height": wish.height.next_multiple_of(8),
            "seed": wish.seed.map_or(-1, i64::from),
            "batch_size": 1,
        });
        if !self.model.is_empty() {
            body["override_settings"] = json!({"sd_model_checkpoint": self.model});
        }
        let mut request = self.http.post(below(&self.address, &["sdapi", "v1", "txt2img"])).json(&body);
        if let Some(pair) = key {
            request = secret_header(request, AUTHORIZATION, &format!("Basic {}", STANDARD.encode(pair)))?;
        }
        let answer = self.http.send(request, most).await?;
        let said: Value = answer.json()?;
        let encoded = said.pointer("/images/0").and_then(Value::as_str);
        encoded.and_then(decoded).ok_or_else(|| answer.unexpected("expected base64 in `images[0]`").into())
    }
}

/// What is told to whoever called.
#[derive(Debug, thiserror::Error)]
enum Told {
    #[error("{0}")]
    Caller(&'static str),
    #[error(transparent)]
    Http(#[from] HttpError),
}

fn nearest(sizes: &[(u32, u32)], wish: &Wish) -> (u32, u32) {
    let ratio = |(width, height): (u32, u32)| (f64::from(width) / f64::from(height)).ln();
    let wanted = ratio((wish.width, wish.height));
    let off = |size: &(u32, u32)| (ratio(*size) - wanted).abs();
    sizes.iter().copied().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or((wish.width, wish.height))
}

/// Base64, also as a `data:` address.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let encoded = text.split_once("base64,").map_or(text, |(_, encoded)| encoded);
    STANDARD.decode(encoded).ok()
}

/// The fields as `multipart/form-data` (RFC 7578), and what to say of it in `Content-Type`.
fn form(fields: &[(&str, String)]) -> Result<(String, String), Told> {
    // So long that no text holds it by chance.
    let random = getrandom::u64().map_err(|_| Told::Caller("the system gives no random numbers"))?;
    let boundary = format!("gathering-{random:016x}");
    let parts = fields.iter().map(|(name, value)| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    let body = format!("{}--{boundary}--\r\n", parts.collect::<String>());
    Ok((format!("multipart/form-data; boundary={boundary}"), body))
}
