//! The loop: asks the model, makes the calls that it asks for, and asks again, until it has answered or a limit is reached.

use std::sync::Arc;
use std::time::Instant;

use gathering_core::Caller;
use gathering_models::{Answer, Message, Model, ModelError, Request, Stop, Usage};
use tokio::sync::mpsc::Sender;

use super::calls::{Calling, Repeats};
use super::conversation::Conversation;
use super::error::ChatError;
use super::event::ChatEvent;
use super::{Inner, context, offer};
use crate::info::AgentInfo;
use crate::spending::{may_spend, spend};

/// How often the conversation is made shorter than was counted, where a provider counts otherwise.
const SHORTENED: u32 = 3;

/// One message to an agent and what follows from it.
pub(super) struct Run {
    chats: Arc<Inner>,
    agent: AgentInfo,
    model: Arc<Model>,
    conversation: Conversation,
    said: String,
    events: Sender<ChatEvent>,
    deadline: Instant,
    usage: Usage,
    /// How much of what the window has room for is used: less where a provider has found it too much.
    part: f64,
    /// What was last told of what the model is not shown.
    told: (usize, usize),
}

impl Run {
    pub(super) fn new(
        chats: Arc<Inner>,
        agent: AgentInfo,
        model: Arc<Model>,
        conversation: Conversation,
        said: String,
        events: Sender<ChatEvent>,
        now: Instant,
    ) -> Self {
        let deadline = now + chats.limits.time;
        let usage = Usage::default();
        Self { chats, agent, model, conversation, said, events, deadline, usage, part: 1.0, told: (0, 0) }
    }

    /// Does all of it, and tells how it ended.
    pub(super) async fn run(mut self) {
        let (conversation_id, model) = (self.conversation.id().to_owned(), self.model.name().to_owned());
        self.tell(ChatEvent::Conversation { conversation_id: conversation_id.clone(), model }).await;
        let end = match self.steps().await {
            Ok((text, stop, steps)) => {
                ChatEvent::Done { conversation_id, text, stop, steps, usage: self.usage }
            }
            Err(error) => {
                let error = match error {
                    ChatError::Model(ModelError::TimedOut { .. }) if Instant::now() >= self.deadline => {
                        ChatError::TimedOut { limit: self.chats.limits.time }
                    }
                    error => error,
                };
                ChatEvent::Error {
                    code: error.code(),
                    message: error.to_string(),
                    conversation_id: self.conversation.is_kept().then_some(conversation_id),
                    usage: self.usage,
                }
            }
        };
        self.tell(end).await;
    }

    async fn steps(&mut self) -> Result<(String, Stop, u32), ChatError> {
        self.conversation.say(Message::User { text: std::mem::take(&mut self.said) })?;
        let mut repeats = Repeats::default();
        let most = self.chats.limits.steps;
        for step in 1..=most {
            // Asked anew each time: what is granted or taken meanwhile holds from the next step on.
            let rights = self.chats.agents.rights(self.agent.id.as_str())?;
            may_spend(&rights).map_err(ChatError::Limited)?;
            let caller = Caller::Agent(rights.clone());
            let answer = self.ask(&caller).await?;
            // That nothing is left now is told before the next request; this one was answered.
            let _ = spend(&rights, answer.usage.tokens(), answer.usage.cost);
            self.usage += answer.usage;
            self.tell(answer.usage.into()).await;
            self.conversation.say(answer.message())?;
            self.keep(answer.usage).await?;
            if answer.calls.is_empty() {
                return Ok((answer.text, answer.stop, step));
            }
            if Instant::now() >= self.deadline {
                return Err(ChatError::TimedOut { limit: self.chats.limits.time });
            }
            let calling = Calling {
                host: self.chats.agents.host(),
                caller,
                most: self.chats.limits.result,
                events: &self.events,
                deadline: self.deadline,
            };
            let mut results = calling.all(&answer.calls).await;
            let mut too_often = None;
            for (call, result) in answer.calls.iter().zip(&mut results) {
                let repeated = repeats.count(call, result);
                too_often = too_often.or(repeated.map(|times| (call.name.clone(), times)));
            }
            self.conversation.say(Message::Tool { results })?;
            self.keep(Usage::default()).await?;
            if let Some((tool, times)) = too_often {
                return Err(ChatError::Repeating { tool, times });
            }
        }
        Err(ChatError::TooManySteps { steps: most })
    }

    /// Asks the model once. Where its provider finds the conversation too long, less of it is shown.
    async fn ask(&mut self, caller: &Caller) -> Result<Answer, ChatError> {
        let mut shortened = 0;
        loop {
            let answer = self.ask_with_part(caller).await;
            match answer {
                Err(ChatError::Model(ModelError::ContextTooLong { .. })) if shortened < SHORTENED => {
                    shortened += 1;
                    self.part *= 0.6;
                }
                answer => return answer,
            }
        }
    }

    async fn ask_with_part(&mut self, caller: &Caller) -> Result<Answer, ChatError> {
        let host = self.chats.agents.host();
        let (view, skills) = (host.tools_for(caller), offer::skills(&host.skills_for(caller)));
        let most = self.chats.limits.tools;
        let offer = offer::offer(&view, &self.conversation.messages, most, skills.is_some());
        let mut system = self.agent.instructions.clone();
        let mut add = |text: &str| {
            if !system.is_empty() {
                system.push_str("\n\n");
            }
            system.push_str(text);
        };
        if let Some(skills) = &skills {
            add(skills);
        }
        if offer.can_find {
            add(offer::HOW_TO_FIND);
        }
        let tool_bytes = |tool: &Arc<gathering_core::ToolDefinition>| {
            tool.name.as_str().len() + tool.description.len() + tool.parameters.as_str().len() + 64
        };
        let around = system.len() + offer.tools.iter().map(tool_bytes).sum::<usize>();
        let window = self.model.context_window();
        let room = window.saturating_sub(self.model.max_output_tokens()) as usize;
        let room = (room as f64 * self.part) as usize;
        let budget = room.saturating_sub(context::tokens(around));
        let too_long = || ChatError::TooLong { model: self.model.name().to_owned(), window };
        let shown = context::fit(&self.conversation.messages, budget).ok_or_else(too_long)?;
        let left = (shown.left_out, shown.shortened);
        if left != self.told {
            self.told = left;
            self.tell(ChatEvent::Context { left_out: left.0, shortened: left.1 }).await;
        }
        let request = Request { system: &system, messages: &shown.messages, tools: &offer.tools };
        Ok(self.model.answer(&request, self.deadline, Some(&self.events)).await?)
    }

    async fn keep(&mut self, usage: Usage) -> Result<(), ChatError> {
        self.conversation.keep(&self.chats.store, self.model.name(), usage).await
    }

    /// That nobody listens any more is no failure: whoever listened drops this, too.
    async fn tell(&self, event: ChatEvent) {
        let _ = self.events.send(event).await;
    }
}
