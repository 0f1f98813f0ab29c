//! Asking models for tools, within the limits of whoever calls them.

use gathering_core::{Asked, Asking, AskingRefused, BoxFuture, Caller, LanguageModels};
use gathering_models::{Delta, Message, Models, Request, Stop};

use crate::chat::ChatError;
use crate::spending::{may_spend, spend};

/// Asks the models that are configured, and counts what agents use against their limits.
#[derive(Debug, Clone)]
pub struct CountedModels(Models);

impl CountedModels {
    /// Asks these.
    pub fn new(models: Models) -> Self {
        Self(models)
    }

    async fn asked(&self, caller: &Caller, asking: Asking) -> Result<Asked, ChatError> {
        if let Caller::Agent(rights) = caller {
            may_spend(rights).map_err(ChatError::Limited)?;
        }
        let model = self.0.choose(None, asking.model.as_deref())?;
        let messages = [Message::User { text: asking.message }];
        let request = Request { system: &asking.system, messages: &messages, tools: &[] };
        let answer = model.answer::<Delta>(&request, asking.deadline, None).await?;
        if let Caller::Agent(rights) = caller {
            // What was used up is told by the next request; this one was answered.
            let _ = spend(rights, answer.usage.tokens(), answer.usage.cost);
        }
        Ok(Asked {
            text: answer.text,
            model: model.name().to_owned(),
            complete: answer.stop == Stop::End,
            input_tokens: answer.usage.input_tokens,
            output_tokens: answer.usage.output_tokens,
            cost: answer.usage.cost,
        })
    }
}

impl LanguageModels for CountedModels {
    fn ask<'a>(&'a self, caller: &'a Caller, asking: Asking) -> BoxFuture<'a, Result<Asked, AskingRefused>> {
        Box::pin(async move {
            let asked = self.asked(caller, asking).await;
            asked.map_err(|error| AskingRefused { code: error.code(), message: error.to_string() })
        })
    }
}
