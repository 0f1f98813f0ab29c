//! The models that an operator configures.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::Url;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The table `models`: `default`, and a table for each model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelsSettings {
    /// The model that is asked when nobody names one. Without it the only one, if there is only one.
    pub default: Option<String>,
    /// The models by the names that the operator gives them.
    pub models: BTreeMap<String, ModelSettings>,
}

/// A model and how it is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Whose wire format is spoken. `openai` is spoken by Mistral, DeepSeek, vLLM, Ollama and many others, too.
    pub provider: Provider,
    /// Where: for `openai` what comes before `/chat/completions`, for `anthropic` what comes before `/v1/messages`.
    /// Default: the provider's own servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<ModelUrl>,
    /// What the provider calls the model.
    pub model: String,
    /// The name of the secret that holds the key. Without it no key is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How many tokens the model takes at once, the answer among them. Default: 128,000; for `anthropic` 200,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u32>,
    /// How many tokens an answer may have. Default: 8,192, and never more than a quarter of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// What a million tokens of input cost, in whatever currency the limits of agents are meant in. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_price: Option<f64>,
    /// What a million tokens of output cost. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_price: Option<f64>,
}

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

impl Provider {
    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

impl ModelSettings {
    pub(crate) fn context_window(&self) -> u32 {
        let usual = match self.provider {
            Provider::OpenAi => 128_000,
            Provider::Anthropic => 200_000,
        };
        self.context_window.unwrap_or(usual)
    }

    pub(crate) fn max_output_tokens(&self) -> u32 {
        self.max_output_tokens.unwrap_or_else(|| (self.context_window() / 4).clamp(1, 8_192))
    }

    /// Where requests go.
    pub(crate) fn endpoint(&self) -> Url {
        let (own, path) = match self.provider {
            Provider::OpenAi => ("https://api.openai.com/v1", "/chat/completions"),
            Provider::Anthropic => ("https://api.anthropic.com", "/v1/messages"),
        };
        let base = self.url.as_ref().map_or(own, |url| url.0.as_str()).trim_end_matches('/');
        let base = match self.provider {
            Provider::Anthropic => base.strip_suffix("/v1").unwrap_or(base),
            Provider::OpenAi => base,
        };
        format!("{base}{path}").parse().expect("a good address with a path behind it is one")
    }
}

/// The address of a provider: `http` or `https`, without a key in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ModelUrl(String);

impl TryFrom<String> for ModelUrl {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).map_err(|error| {
            format!("`{text}` is no address such as `http://127.0.0.1:11434/v1`: {error}")
        })?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("`{text}` is no address such as `http://127.0.0.1:11434/v1`"));
        }
        let holds_a_key = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
        if holds_a_key || url.fragment().is_some() {
            // Not repeated: it may hold a key.
            return Err("an address of a model has no user, no password, no `?` and no `#`: \
                        a key is kept with `gathering secrets set NAME` and named by `secret`"
                .to_owned());
        }
        Ok(Self(text))
    }
}

impl fmt::Display for ModelUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ModelsSettings {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.models.len() + 1))?;
        map.serialize_entry("default", &self.default)?;
        for (name, model) in &self.models {
            map.serialize_entry(name, model)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ModelsSettings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By hand, so that an error names the key: what serde flattens has forgotten where it stood.
        from.deserialize_map(Tables)
    }
}

struct Tables;

impl<'de> Visitor<'de> for Tables {
    type Value = ModelsSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ModelsSettings, A::Error> {
        let mut settings = ModelsSettings::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "default" {
                settings.default = map.next_value()?;
            } else if is_name(&name) {
                settings.models.insert(name, map.next_value()?);
            } else {
                return Err(de::Error::custom(format!(
                    "`{}` is no name for a model: it has 1 to 64 letters, digits, `.`, `_` and `-`",
                    name.escape_debug()
                )));
            }
        }
        Ok(settings)
    }
}

fn is_name(name: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(is_taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model(value: serde_json::Value) -> Result<ModelSettings, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn requests_go_where_each_provider_takes_them() {
        let endpoint = |provider: &str, url: Option<&str>| {
            model(json!({"provider": provider, "url": url, "model": "m"}))
                .expect("good settings")
                .endpoint()
                .to_string()
        };

        assert_eq!(endpoint("openai", None), "https://api.openai.com/v1/chat/completions");
        assert_eq!(
            endpoint("openai", Some("http://127.0.0.1:11434/v1/")),
            "http://127.0.0.1:11434/v1/chat/completions"
        );
        assert_eq!(endpoint("anthropic", None), "https://api.anthropic.com/v1/messages");
        assert_eq!(endpoint("anthropic", Some("https://x.example/v1")), "https://x.example/v1/messages");
    }

    #[test]
    fn an_address_that_holds_a_key_is_refused_without_repeating_it() {
        for url in
            ["https://me:sk-0123@x.example", "https://x.example/?key=sk-0123", "file:///sk", "nonsense"]
        {
            let refused = model(json!({"provider": "openai", "url": url, "model": "m"})).expect_err(url);

            assert!(!refused.contains("sk-0123"), "{refused}");
        }
    }

    #[test]
    fn a_table_of_models_is_read_and_written_and_a_bad_name_is_refused() {
        let text = json!({"default": "a", "a": {"provider": "openai", "model": "m"}});
        let settings: ModelsSettings = serde_json::from_value(text.clone()).expect("good settings");

        assert_eq!(serde_json::to_value(&settings).expect("plain data"), text);
        assert_eq!(settings.models["a"].max_output_tokens(), 8_192);
        assert!(serde_json::from_value::<ModelsSettings>(json!({"a b": {}})).is_err());
    }
}
