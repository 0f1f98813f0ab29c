//! Talking with agents: a model is asked, its calls are made with the agent's rights, until it has answered.

mod calls;
mod context;
mod conversation;
mod error;
mod event;
mod offer;
mod run;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt, stream};
use gathering_core::{AgentId, ConversationRecord, ConversationStore, StateError};
use gathering_models::{Message, Models};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::agents::Agents;
use crate::spending::may_spend;
use conversation::Conversation;
use run::Run;

pub use error::ChatError;
pub use event::ChatEvent;

/// The longest message that is taken, in bytes.
const LONGEST_MESSAGE: usize = 256 << 10;
/// How many events wait for a reader before the agent waits for it.
const EVENTS: usize = 32;

/// What a chat may take. Each is for one message and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatLimits {
    /// How often the model is asked. Default: 30.
    pub steps: u32,
    /// How long it may take. Default: 10 min.
    pub time: Duration,
    /// How many tools the model is shown; an agent that may call more finds them by `search_tools`. Default: 40.
    pub tools: usize,
    /// How much of one result the model is shown, in bytes. Default: 64 KiB.
    pub result: usize,
}

impl Default for ChatLimits {
    fn default() -> Self {
        Self { steps: 30, time: Duration::from_secs(600), tools: 40, result: 64 << 10 }
    }
}

/// What is said to an agent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The text.
    pub message: String,
    /// The conversation that goes on with it; a new one if absent.
    #[serde(default)]
    pub conversation_id: Option<String>,
}

/// A conversation with all that was said in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FullConversation {
    /// What is known of it.
    #[serde(flatten)]
    pub conversation: ConversationInfo,
    /// What was said, oldest first.
    pub said: Vec<Message>,
}

/// What is told of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConversationInfo {
    /// What it is called by.
    pub conversation_id: String,
    /// Whose it is.
    pub agent_id: AgentId,
    /// The beginning of the first message.
    pub title: String,
    /// The operator's name of the model that answered last.
    pub model: String,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// When something was last said, in milliseconds since 1970-01-01 UTC.
    pub updated_ms: u64,
    /// How many messages it has.
    pub messages: u64,
    /// How many tokens its answers have taken as input.
    pub input_tokens: u64,
    /// How many tokens its answers have.
    pub output_tokens: u64,
    /// What its answers have cost, by the configured prices.
    pub cost: f64,
}

impl From<ConversationRecord> for ConversationInfo {
    fn from(record: ConversationRecord) -> Self {
        let ConversationRecord { id, agent, title, model, created_ms, updated_ms, messages, .. } = record;
        let ConversationRecord { input_tokens, output_tokens, cost, .. } = record;
        Self {
            conversation_id: id,
            agent_id: agent,
            title,
            model,
            created_ms,
            updated_ms,
            messages,
            input_tokens,
            output_tokens,
            cost,
        }
    }
}

/// The conversations of agents with models. Cloning gives the same ones.
#[derive(Clone)]
pub struct Chats {
    inner: Arc<Inner>,
}

struct Inner {
    agents: Agents,
    models: Models,
    store: Arc<dyn ConversationStore>,
    limits: ChatLimits,
    /// The conversations in which an agent is being asked.
    busy: Mutex<HashSet<String>>,
}

impl Chats {
    /// Conversations of `agents` with `models`, kept in `store`.
    pub fn new(
        agents: Agents,
        models: Models,
        store: Arc<dyn ConversationStore>,
        limits: ChatLimits,
    ) -> Self {
        Self { inner: Arc::new(Inner { agents, models, store, limits, busy: Mutex::default() }) }
    }

    /// The models that are talked with.
    pub fn models(&self) -> &Models {
        &self.inner.models
    }

    /// Says something to an agent. What can be refused at once is; from then on everything is told by the events, of which
    /// the last is `done` or `error`. Dropping the stream stops the model and the tools that run.
    pub async fn say(
        &self,
        agent: &str,
        said: NewMessage,
    ) -> Result<impl Stream<Item = ChatEvent> + Send + use<>, ChatError> {
        let agent = self.inner.agents.get(agent)?;
        let text = check_message(said.message)?;
        may_spend(&*self.inner.agents.rights(agent.id.as_str())?).map_err(ChatError::Limited)?;
        let model = self.inner.models.choose(agent.provider.as_deref(), agent.model.as_deref())?;
        let seat = said.conversation_id.as_deref().map(|id| self.take_seat(id)).transpose()?;
        let conversation = match said.conversation_id {
            Some(id) => Conversation::resume(&self.inner.store, &agent.id, &id).await?,
            None => Conversation::new(&agent.id, &text),
        };
        let seat = match seat {
            Some(seat) => seat,
            None => self.take_seat(conversation.id())?,
        };
        let (events, mut coming) = mpsc::channel(EVENTS);
        let talk = Run::new(self.inner.clone(), agent, model, conversation, text, events, Instant::now());
        let work = async move {
            let _seat = seat;
            talk.run().await;
        };
        let coming = stream::poll_fn(move |context| coming.poll_recv(context));
        // Both in one: whoever drops the events drops the work.
        Ok(stream::select(stream::once(work).filter_map(async |()| None), coming).boxed())
    }

    /// The conversations of an agent; the one in which something was said last comes first.
    pub async fn list(&self, agent: &str) -> Result<Vec<ConversationInfo>, ChatError> {
        let agent = self.inner.agents.get(agent)?.id;
        let records = blocking(&self.inner.store, move |store| store.conversations(&agent)).await?;
        Ok(records.into_iter().map(ConversationInfo::from).collect())
    }

    /// A conversation with all that was said in it.
    pub async fn get(&self, agent: &str, id: &str) -> Result<FullConversation, ChatError> {
        let agent = self.inner.agents.get(agent)?.id;
        let (record, said) = conversation::read(&self.inner.store, &agent, id).await?;
        Ok(FullConversation { conversation: record.into(), said })
    }

    /// Forgets a conversation. One in which the agent is being asked at the moment is kept.
    pub async fn remove(&self, agent: &str, id: &str) -> Result<(), ChatError> {
        let agent = self.inner.agents.get(agent)?.id;
        let _seat = self.take_seat(id)?;
        let of = (agent.clone(), id.to_owned());
        let removed =
            blocking(&self.inner.store, move |store| store.remove_conversation(&of.0, &of.1)).await?;
        if removed { Ok(()) } else { Err(ChatError::unknown(&agent, id)) }
    }

    fn take_seat(&self, id: &str) -> Result<Seat, ChatError> {
        let mut busy = self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.insert(id.to_owned()) {
            return Err(ChatError::Busy { conversation: crate::check::shortened(id) });
        }
        Ok(Seat { inner: self.inner.clone(), id: id.to_owned() })
    }
}

/// Nobody else says something in a conversation until this is dropped.
struct Seat {
    inner: Arc<Inner>,
    id: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

fn check_message(text: String) -> Result<String, ChatError> {
    if text.trim().is_empty() || text.len() > LONGEST_MESSAGE {
        return Err(ChatError::Invalid {
            pointer: "/message",
            message: format!("`message` must be a text of 1 to {LONGEST_MESSAGE} bytes that is not empty"),
        });
    }
    Ok(text)
}

/// Asks the store where it may block.
async fn blocking<T: Send + 'static>(
    store: &Arc<dyn ConversationStore>,
    ask: impl FnOnce(&dyn ConversationStore) -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    let store = store.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&*store)).await;
    asked.unwrap_or_else(|panic| Err(StateError::Failed(panic.to_string())))
}
