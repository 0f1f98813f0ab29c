//! Clients of providers of language models, in the two wire formats that nearly all of them speak.
//!
//! [`Models`] knows the models that the operator configured, and [`Model::answer`] asks one of them: the answer is
//! streamed, tool calls are collected, failures that pass are tried again. What a provider sends is untrusted: it is
//! limited in size, and nothing of it is taken that does not fit. Nothing here calls a tool.

mod answer;
mod anthropic;
mod building;
mod error;
mod message;
mod model;
mod models;
mod openai;
mod retry;
mod settings;
mod stream;

pub use answer::{Answer, Delta, Stop, Usage};
pub use anthropic::tool as anthropic_tool;
pub use error::ModelError;
pub use message::{Message, Request, ToolResult, ToolUse};
pub use model::Model;
pub use models::{ModelInfo, Models};
pub use openai::tool as openai_tool;
pub use settings::{ModelSettings, ModelUrl, ModelsSettings, Provider};
