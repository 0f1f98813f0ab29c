//! One conversation: what was said in it, and what of it is kept.

use std::sync::Arc;

use gathering_core::{AgentId, Content, ConversationRecord, ConversationStore, StateError};
use gathering_models::{Message, ToolResult, Usage};

use super::blocking;
use super::error::ChatError;
use crate::agents::now_ms;
use crate::known::hexadecimal;

/// How many messages one conversation may have.
const MOST_MESSAGES: usize = 2_000;
/// How many bytes its messages may have together.
const MOST_BYTES: usize = 32 << 20;
/// How much of the first message is its title, in characters.
const TITLE: usize = 80;

/// A conversation that goes on.
pub(super) struct Conversation {
    record: ConversationRecord,
    pub(super) messages: Vec<Message>,
    /// How many of them are kept.
    kept: usize,
    bytes: usize,
}

impl Conversation {
    /// One that begins with `text`. Nothing is kept yet.
    pub(super) fn new(agent: &AgentId, text: &str) -> Self {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).expect("the operating system gives random bytes");
        let now = now_ms();
        let record = ConversationRecord {
            id: hexadecimal(&id),
            agent: agent.clone(),
            title: text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE).collect(),
            model: String::new(),
            created_ms: now,
            updated_ms: now,
            messages: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost: 0.0,
        };
        Self { record, messages: Vec::new(), kept: 0, bytes: 0 }
    }

    /// One that was kept. Calls that were stopped in the middle get a result that says so: a model is shown none without.
    pub(super) async fn resume(
        store: &Arc<dyn ConversationStore>,
        agent: &AgentId,
        id: &str,
    ) -> Result<Self, ChatError> {
        let (record, messages) = read(store, agent, id).await?;
        let bytes = messages.iter().map(size).sum();
        let mut conversation = Self { record, kept: messages.len(), messages, bytes };
        if let Some(Message::Assistant { calls, .. }) = conversation.messages.last()
            && !calls.is_empty()
        {
            let results = calls.iter().map(|call| {
                let text =
                    "the call was stopped before it gave a result; what it had done until then is not known";
                ToolResult {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    content: vec![Content::Text { text: text.to_owned() }],
                    is_error: true,
                }
            });
            let results = results.collect();
            conversation.say(Message::Tool { results })?;
        }
        Ok(conversation)
    }

    pub(super) fn id(&self) -> &str {
        &self.record.id
    }

    /// Whether something of it is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.kept > 0
    }

    /// Adds a message.
    pub(super) fn say(&mut self, message: Message) -> Result<(), ChatError> {
        self.bytes += size(&message);
        if self.messages.len() >= MOST_MESSAGES || self.bytes > MOST_BYTES {
            return Err(ChatError::Full {
                limit: format!("{MOST_MESSAGES} messages and {MOST_BYTES} bytes"),
            });
        }
        self.messages.push(message);
        Ok(())
    }

    /// Keeps what was said since the last time, and what the answers took.
    pub(super) async fn keep(
        &mut self,
        store: &Arc<dyn ConversationStore>,
        model: &str,
        usage: Usage,
    ) -> Result<(), ChatError> {
        let record = &mut self.record;
        model.clone_into(&mut record.model);
        record.updated_ms = now_ms();
        record.messages = self.messages.len() as u64;
        record.input_tokens += usage.input_tokens;
        record.output_tokens += usage.output_tokens;
        record.cost += usage.cost;
        let new: Result<Vec<_>, _> = self.messages[self.kept..].iter().map(serde_json::to_value).collect();
        let new = new.map_err(|error| StateError::Failed(error.to_string()))?;
        let record = record.clone();
        blocking(store, move |store| store.continue_conversation(&record, &new)).await?;
        self.kept = self.messages.len();
        Ok(())
    }
}

/// What is kept of a conversation.
pub(super) async fn read(
    store: &Arc<dyn ConversationStore>,
    agent: &AgentId,
    id: &str,
) -> Result<(ConversationRecord, Vec<Message>), ChatError> {
    let of = (agent.clone(), id.to_owned());
    let found = blocking(store, move |store| store.conversation(&of.0, &of.1)).await?;
    let (record, said) = found.ok_or_else(|| ChatError::unknown(agent, id))?;
    let said: Result<Vec<Message>, _> = said.into_iter().map(serde_json::from_value).collect();
    let said = said.map_err(|error| {
        StateError::Failed(format!(
            "what was kept of the conversation `{}` cannot be read: {error}",
            record.id
        ))
    })?;
    Ok((record, said))
}

/// About how many bytes a message takes.
pub(super) fn size(message: &Message) -> usize {
    match message {
        Message::User { text } => text.len(),
        Message::Assistant { text, calls } => {
            let call = |call: &gathering_models::ToolUse| {
                let arguments = serde_json::to_string(&call.arguments).map_or(0, |text| text.len());
                call.id.len() + call.name.len() + arguments
            };
            text.len() + calls.iter().map(call).sum::<usize>()
        }
        Message::Tool { results } => results.iter().map(result_size).sum(),
    }
}

fn result_size(result: &ToolResult) -> usize {
    let part = |part: &Content| match part {
        Content::Text { text } => text.len(),
        Content::Image { data, .. } | Content::Audio { data, .. } => data.len(),
        Content::ResourceLink { uri, name, .. } => uri.len() + name.len(),
        Content::Json { value } => value.to_string().len(),
    };
    result.id.len() + result.name.len() + result.content.iter().map(part).sum::<usize>()
}
