//! A GatheRing whose models are a mock's, and short ways to talk in it.

use futures_util::StreamExt;
use gathering::{Builtin, ChatError, ChatEvent, Config, GatheRing, NewAgent, NewMessage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mock::Mock;

/// A GatheRing and its folder.
pub(crate) struct House {
    pub(crate) gathering: GatheRing,
    _folder: TempDir,
}

/// What happened while an agent answered.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Vec<Value>);

impl House {
    /// One that knows the model `openai`, which is the default, and `anthropic`, both at `mock`.
    pub(crate) async fn new(mock: &Mock) -> Self {
        Self::with(mock, |_| {}).await
    }

    pub(crate) async fn with(mock: &Mock, configure: impl FnOnce(&mut Config)) -> Self {
        Self::with_plugins(mock, configure, []).await
    }

    pub(crate) async fn with_plugins(
        mock: &Mock,
        configure: impl FnOnce(&mut Config),
        plugins: impl IntoIterator<Item = Builtin>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let prices = json!({"input_price": 1.0, "output_price": 10.0});
        let model = |more: Value| {
            let mut model = prices.clone();
            model.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            model
        };
        let models = json!({
            "default": "openai",
            "openai": model(json!({"provider": "openai", "url": format!("{}/v1", mock.url), "model": "mock"})),
            "anthropic": model(json!({"provider": "anthropic", "url": mock.url, "model": "claude-mock"})),
        });
        let mut config = Config {
            data_dir: Some(folder.path().join("data")),
            models: serde_json::from_value(models).expect("good settings"),
            ..Config::default()
        };
        configure(&mut config);
        let gathering = GatheRing::open_with(config, plugins).await.expect("it can be opened");
        Self { gathering, _folder: folder }
    }

    /// Makes an agent and returns its id.
    pub(crate) async fn agent(&self, agent: Value) -> String {
        let agent: NewAgent = serde_json::from_value(agent).expect("a good agent");
        self.gathering.agents().create(agent).await.expect("it can be made").agent.id.to_string()
    }

    /// What comes of saying something in a new conversation.
    pub(crate) async fn say(&self, agent: &str, message: &str) -> Told {
        self.try_say(agent, json!({"message": message})).await.expect("it can be said")
    }

    pub(crate) async fn try_say(&self, agent: &str, said: Value) -> Result<Told, ChatError> {
        let said: NewMessage = serde_json::from_value(said).expect("a good message");
        let events = self.gathering.chats().say(agent, said).await?;
        Ok(Told(
            events.map(|event: ChatEvent| serde_json::to_value(event).expect("plain data")).collect().await,
        ))
    }
}

impl Told {
    /// The events of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Value> {
        self.0.iter().filter(|event| event["event"] == name).collect()
    }

    /// The names of the events, each once for as many as follow one another.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|event| event["event"].as_str().expect("a name")).collect();
        names.dedup();
        names
    }

    /// The last event.
    pub(crate) fn end(&self) -> &Value {
        self.0.last().expect("something happened")
    }

    /// The text of all steps.
    pub(crate) fn text(&self) -> String {
        self.all("text").iter().map(|event| event["text"].as_str().expect("a text")).collect()
    }
}
