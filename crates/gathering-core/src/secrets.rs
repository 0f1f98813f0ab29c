//! Secrets: where they come from, who is told them, and how they are kept out of what a plugin says.

mod redact;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::permissions::variable;
use crate::{Content, LoadError, PermissionError, ToolError, ToolOutput};
use redact::Redactor;

/// The shortest secret, in bytes: a shorter one is found in texts that have nothing to do with it.
pub const MIN_SECRET: usize = 6;
/// The longest secret, in bytes.
pub const MAX_SECRET: usize = 64 * 1024;

/// Where secrets are kept.
pub trait Secrets: Send + Sync {
    /// The secret of this name as it is now, if there is one. May block.
    fn get(&self, name: &str) -> Result<Option<String>, SecretError>;
}

/// Why a secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] PermissionError),
    /// The value is too short, too long, or no text that a variable can hold.
    #[error("the value of the secret `{name}` cannot be taken: {reason}")]
    Value {
        /// The secret.
        name: String,
        /// What is wrong and what is expected; says nothing of the value.
        reason: String,
    },
    /// What keeps the secrets cannot be read or written.
    #[error("{0}")]
    Unreadable(String),
}

/// Checks that `value` can be the secret `name`: that it can be told to a plugin, and be found in what it says.
pub fn check_secret(name: &str, value: &str) -> Result<(), SecretError> {
    variable("a secret", name)?;
    let refuse = |reason: String| Err(SecretError::Value { name: name.to_owned(), reason });
    match value.len() {
        length if length < MIN_SECRET => refuse(format!(
            "it has {length} bytes, and one of fewer than {MIN_SECRET} could not be hidden from results"
        )),
        length if length > MAX_SECRET => {
            refuse(format!("it has {length} bytes, and at most {MAX_SECRET} are taken"))
        }
        _ if value.contains('\0') => refuse("it holds a null byte".to_owned()),
        _ => Ok(()),
    }
}

/// The secrets that one plugin is granted. Whatever was handed to it is replaced by `***` in what it says; this costs
/// nothing as long as it holds none.
pub struct PluginSecrets {
    source: Option<Arc<dyn Secrets>>,
    names: Vec<String>,
    handed: RwLock<Arc<Redactor>>,
}

impl PluginSecrets {
    /// The secrets called `names` of `source`.
    pub fn new(source: Option<Arc<dyn Secrets>>, names: Vec<String>) -> Self {
        Self { source, names, handed: RwLock::default() }
    }

    /// No secrets at all.
    pub fn none() -> Arc<Self> {
        Arc::new(Self::new(None, Vec::new()))
    }

    /// The names of what it is granted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The secret called `name` as it is now, to be handed to the plugin; `None` if it is not granted or there is none.
    /// May block.
    pub fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        let Some(source) = self.source.as_ref().filter(|_| self.names.iter().any(|granted| granted == name))
        else {
            return Ok(None);
        };
        let Some(value) = source.get(name)? else { return Ok(None) };
        check_secret(name, &value)?;
        let mut handed = self.handed.write().unwrap_or_else(PoisonError::into_inner);
        if !handed.knows(&value) {
            *handed = Arc::new(handed.with(&value));
        }
        Ok(Some(value))
    }

    /// Every secret that it is granted and that there is, to be handed to the plugin. May block.
    pub fn all(&self) -> Result<Vec<(String, String)>, SecretError> {
        let values = self.names.iter().map(|name| Ok(self.get(name)?.map(|value| (name.clone(), value))));
        values.filter_map(Result::transpose).collect()
    }

    /// What was handed over so far, if anything.
    fn handed(&self) -> Option<Arc<Redactor>> {
        if self.names.is_empty() {
            return None;
        }
        let handed = self.handed.read().unwrap_or_else(PoisonError::into_inner);
        Some(handed.clone()).filter(|handed| !handed.is_empty())
    }

    /// The text without secrets.
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.handed() {
            Some(handed) => handed.text(text),
            None => Cow::Borrowed(text),
        }
    }

    /// A part of the plugin's log without secrets. Secrets are looked for in whole lines.
    pub fn redact_log(&self, lines: Vec<u8>) -> Vec<u8> {
        let Some(handed) = self.handed() else { return lines };
        let redacted = match handed.text(&String::from_utf8_lossy(&lines)) {
            Cow::Owned(redacted) => Some(redacted.into_bytes()),
            Cow::Borrowed(_) => None,
        };
        redacted.unwrap_or(lines)
    }

    /// What a plugin says of itself, such as its health, without secrets.
    pub fn redact_map(&self, map: &mut Map<String, Value>) {
        if let Some(handed) = self.handed() {
            handed.map(map);
        }
    }

    /// What came of a call, without secrets. Bytes of pictures and sound are left alone.
    pub fn redact_outcome(&self, outcome: &mut Result<ToolOutput, ToolError>) {
        match outcome {
            Ok(output) => self.redact_output(output),
            Err(error) => self.redact_error(error),
        }
    }

    /// The result of a call, without secrets.
    pub fn redact_output(&self, output: &mut ToolOutput) {
        let Some(handed) = self.handed() else { return };
        handed.value(&mut output.value);
        output.parts.iter_mut().for_each(|part| redact_part(&handed, part));
    }

    /// Why a call gave no result, without secrets.
    pub fn redact_error(&self, error: &mut ToolError) {
        if let Some(handed) = self.handed() {
            error.each_text(|text| handed.owned(text));
        }
    }

    /// Why a plugin did not load, without secrets.
    pub fn redact_load_error(&self, mut error: LoadError) -> LoadError {
        if let Some(handed) = self.handed() {
            handed.owned(&mut error.message);
            handed.owned(&mut error.traceback);
        }
        error
    }
}

fn redact_part(handed: &Redactor, part: &mut Content) {
    match part {
        Content::Text { text } => handed.owned(text),
        Content::Json { value } => handed.value(value),
        Content::ResourceLink { uri, name, .. } => {
            handed.owned(uri);
            handed.owned(name);
        }
        Content::Image { .. } | Content::Audio { .. } => {}
    }
}

/// Shows the names only.
impl fmt::Debug for PluginSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSecrets").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
