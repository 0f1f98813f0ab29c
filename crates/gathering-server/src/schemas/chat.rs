//! The shapes of talking with agents.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::shapes;

shapes! {
    /// What is said to an agent.
    struct NewMessage {
        /// The text.
        #[schema(example = "What is 6 times 7?")]
        message: String,
        /// The conversation that goes on with it. Default: a new one.
        #[schema(required = false)]
        conversation_id: Option<String>,
    }

    /// A conversation.
    struct Conversation {
        /// What it is called by.
        conversation_id: String,
        /// Whose it is.
        agent_id: String,
        /// The beginning of the first message.
        title: String,
        /// The operator's name of the model that answered last.
        model: String,
        /// When it began, in milliseconds since 1970-01-01 UTC.
        created_ms: u64,
        /// When something was last said, in milliseconds since 1970-01-01 UTC.
        updated_ms: u64,
        /// How many messages it has.
        messages: u64,
        /// How many tokens its answers have taken as input.
        input_tokens: u64,
        /// How many tokens its answers have.
        output_tokens: u64,
        /// What its answers have cost, by the configured prices.
        cost: f64,
    }

    /// Conversations.
    struct ConversationList {
        /// The conversations.
        conversations: Vec<Conversation>,
        /// How many there are.
        total: usize,
    }

    /// A conversation with all that was said in it.
    struct FullConversation {
        /// What it is called by.
        conversation_id: String,
        /// Whose it is.
        agent_id: String,
        /// The beginning of the first message.
        title: String,
        /// The operator's name of the model that answered last.
        model: String,
        /// When it began, in milliseconds since 1970-01-01 UTC.
        created_ms: u64,
        /// When something was last said, in milliseconds since 1970-01-01 UTC.
        updated_ms: u64,
        /// How many messages it has.
        messages: u64,
        /// How many tokens its answers have taken as input.
        input_tokens: u64,
        /// How many tokens its answers have.
        output_tokens: u64,
        /// What its answers have cost, by the configured prices.
        cost: f64,
        /// What was said, oldest first.
        said: Vec<SaidMessage>,
    }

    /// A model.
    struct Model {
        /// What the operator calls it.
        name: String,
        /// Whose wire format it speaks.
        #[schema(example = "openai")]
        provider: String,
        /// What the provider calls it.
        model: String,
        /// Whether it is asked when nobody names one.
        default: bool,
        /// How many tokens it takes at once, the answer among them.
        context_window: u32,
        /// How many tokens an answer may have.
        max_output_tokens: u32,
        /// The secret that holds its key.
        #[schema(required)]
        secret: Option<String>,
        /// Why it cannot be asked, as far as that is known without asking.
        #[schema(required)]
        problem: Option<String>,
    }

    /// Models.
    struct ModelList {
        /// The models.
        models: Vec<Model>,
        /// How many there are.
        total: usize,
    }
}

/// One message. `user` and `assistant` have a `text`, `assistant` may have `calls`, `tool` has `results`.
#[derive(Serialize, ToSchema)]
pub(crate) struct SaidMessage {
    /// `user`, `assistant` or `tool`.
    role: String,
    /// What was said.
    #[schema(required = false)]
    text: String,
    /// The tools that the model called.
    #[schema(required = false)]
    calls: Vec<Value>,
    /// What came of the calls, in their order.
    #[schema(required = false)]
    results: Vec<Value>,
}

/// Something that happened while an agent answered. What else it holds depends on `event`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatEvent {
    /// What: `conversation`, `text`, `retry`, `tool_call`, `tool_result`, `context`, `usage`, `done` or `error`.
    event: String,
}
