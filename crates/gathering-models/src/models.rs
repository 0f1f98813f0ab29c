//! The models of a GatheRing by the names that its operator gave them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gathering_core::Secrets;
use serde::Serialize;

use crate::{Model, ModelError, ModelsSettings};

/// The models that are configured. Cloning gives the same ones.
#[derive(Debug, Clone, Default)]
pub struct Models(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    default: Option<String>,
    models: BTreeMap<String, Arc<Model>>,
}

/// What is told of a model. Its key is not, only by what name it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// What the operator calls it.
    pub name: String,
    /// Whose wire format it speaks.
    pub provider: &'static str,
    /// What the provider calls it.
    pub model: String,
    /// Whether it is asked when nobody names one.
    pub default: bool,
    /// How many tokens it takes at once, the answer among them.
    pub context_window: u32,
    /// How many tokens an answer may have.
    pub max_output_tokens: u32,
    /// The secret that holds its key.
    pub secret: Option<String>,
    /// Why it cannot be asked, as far as that is known without asking.
    pub problem: Option<String>,
}

impl Models {
    /// The models that `settings` name, with their keys in `secrets`.
    pub fn new(settings: &ModelsSettings, secrets: Option<Arc<dyn Secrets>>) -> Self {
        let model = |(name, settings): (&String, &crate::ModelSettings)| {
            (name.clone(), Arc::new(Model::new(name.clone(), settings.clone(), secrets.clone())))
        };
        let models = settings.models.iter().map(model).collect();
        Self(Arc::new(Inner { default: settings.default.clone(), models }))
    }

    /// All models, in alphabetical order. May block.
    pub fn list(&self) -> Vec<ModelInfo> {
        let default = self.default().ok().map(|model| model.name().to_owned());
        let info = |model: &Arc<Model>| {
            let settings = model.settings();
            ModelInfo {
                name: model.name().to_owned(),
                provider: settings.provider.as_str(),
                model: settings.model.clone(),
                default: default.as_deref() == Some(model.name()),
                context_window: model.context_window(),
                max_output_tokens: model.max_output_tokens(),
                secret: settings.secret.clone(),
                problem: match (model.has_key(), &settings.secret) {
                    (Ok(false), Some(secret)) => {
                        let (model, secret) = (model.name().to_owned(), secret.clone());
                        Some(ModelError::MissingSecret { model, secret }.to_string())
                    }
                    (Err(error), _) => Some(error.to_string()),
                    _ => None,
                },
            }
        };
        self.0.models.values().map(info).collect()
    }

    /// The model that is meant by what an agent or a call says of it.
    ///
    /// `model` is the operator's name of one, or what its provider calls it. `provider` is the operator's name of a model or
    /// a format; with a `model` that is not configured, that model is asked for where this one is. Without both it is the
    /// default.
    pub fn choose(&self, provider: Option<&str>, model: Option<&str>) -> Result<Arc<Model>, ModelError> {
        let models = &self.0.models;
        if models.is_empty() {
            return Err(ModelError::NoModel);
        }
        let fits = |found: &&Arc<Model>| {
            provider.is_none_or(|provider| {
                found.name() == provider || found.settings().provider.as_str().eq_ignore_ascii_case(provider)
            })
        };
        let of_provider = || match self.default() {
            Ok(default) if fits(&&default) => Some(default),
            _ => models.values().find(fits).cloned(),
        };
        let found = match (provider, model) {
            (None, None) => return self.default(),
            (Some(_), None) => of_provider(),
            (_, Some(model)) => {
                let named = models.get(model).filter(fits);
                let called = || models.values().filter(fits).find(|found| found.settings().model == model);
                match named.or_else(called) {
                    Some(found) => Some(found.clone()),
                    None if provider.is_some() => of_provider().map(|found| Arc::new(found.with(model))),
                    None => None,
                }
            }
        };
        found.ok_or_else(|| {
            let asked = [provider, model].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let asked = asked.chars().take(100).flat_map(char::escape_debug).collect();
            ModelError::Unknown { asked, known: models.keys().cloned().collect() }
        })
    }

    fn default(&self) -> Result<Arc<Model>, ModelError> {
        let models = &self.0.models;
        let known = || models.keys().cloned().collect();
        match &self.0.default {
            Some(name) => models
                .get(name)
                .cloned()
                .ok_or_else(|| ModelError::Unknown { asked: name.clone(), known: known() }),
            None => match models.values().next() {
                None => Err(ModelError::NoModel),
                Some(only) if models.len() == 1 => Ok(only.clone()),
                Some(_) => Err(ModelError::NoDefault { known: known() }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn models(settings: Value) -> Models {
        Models::new(&serde_json::from_value(settings).expect("good settings"), None)
    }

    #[test]
    fn a_model_is_meant_by_its_name_by_what_its_provider_calls_it_or_by_default() {
        let models = models(json!({
            "default": "main",
            "main": {"provider": "openai", "model": "gpt-5"},
            "deep": {"provider": "anthropic", "model": "claude-opus-4-5"},
        }));
        let chosen = |provider, model| {
            let chosen = models.choose(provider, model).map_err(|error| error.to_string())?;
            Ok::<_, String>(format!("{} {}", chosen.name(), chosen.settings().model))
        };

        assert_eq!(chosen(None, None), Ok("main gpt-5".into()));
        assert_eq!(chosen(None, Some("deep")), Ok("deep claude-opus-4-5".into()));
        assert_eq!(chosen(None, Some("claude-opus-4-5")), Ok("deep claude-opus-4-5".into()));
        assert_eq!(chosen(Some("anthropic"), None), Ok("deep claude-opus-4-5".into()));
        assert_eq!(chosen(Some("anthropic"), Some("claude-haiku-4-5")), Ok("deep claude-haiku-4-5".into()));
        assert_eq!(
            chosen(None, Some("claude-haiku-4-5")),
            Err("there is no model `claude-haiku-4-5`: what is configured is `deep`, `main`".into())
        );
    }

    #[test]
    fn without_a_model_and_without_a_default_the_error_says_how_to_set_one() {
        let none = models(json!({})).choose(None, None).expect_err("there is none").to_string();
        let two = models(json!({
            "a": {"provider": "openai", "model": "x"}, "b": {"provider": "openai", "model": "y"},
        }));

        assert!(none.contains("`[models.main]` in gathering.toml"), "{none}");
        assert_eq!(
            two.choose(None, None).expect_err("which?").to_string(),
            "none of the models `a`, `b` is the default: `models.default` in gathering.toml names it"
        );
    }
}
