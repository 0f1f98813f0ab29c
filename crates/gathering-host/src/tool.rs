//! A registered tool: its definition, its compiled schemas and the plugin generation that runs it.

use std::any::Any;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use gathering_core::{PluginId, PluginStatus, SchemaError, Tier, ToolDefinition};

use crate::check::Check;
use crate::in_process::Handle;
use crate::instance::Instance;
use crate::table::{Definition, Index, add_plugin, unique};

/// A registered tool. Reads like its [`ToolDefinition`].
pub struct Tool {
    definition: Arc<ToolDefinition>,
    pub(crate) parameters: Check,
    pub(crate) returns: Check,
    pub(crate) instance: Arc<Instance>,
    handle: OnceLock<Handle>,
}

impl Tool {
    /// Compiles the schemas of `definition`; the error says which and why.
    pub(crate) fn new(
        definition: Arc<ToolDefinition>,
        instance: Arc<Instance>,
    ) -> Result<Self, (&'static str, SchemaError)> {
        let parameters = Check::compile(&definition.parameters).map_err(|error| ("parameters", error))?;
        let returns = Check::compile(&definition.returns).map_err(|error| ("returns", error))?;
        Ok(Self { definition, parameters, returns, instance, handle: OnceLock::new() })
    }

    /// The tool as data.
    pub fn definition(&self) -> &Arc<ToolDefinition> {
        &self.definition
    }

    /// What checks the arguments of a call.
    pub fn arguments(&self) -> &Check {
        &self.parameters
    }

    /// What checks its result.
    pub fn result(&self) -> &Check {
        &self.returns
    }

    /// What the program around the host keeps with it.
    pub fn handle(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.handle.get().map(|handle| &**handle)
    }

    /// Lets the program keep `handle` with it, unless something is kept already; gives what is kept.
    pub fn keep(&self, handle: Handle) -> &(dyn Any + Send + Sync) {
        self.handle.get_or_init(|| handle).as_ref()
    }

    /// The plugin that runs it.
    pub fn plugin(&self) -> &PluginId {
        &self.instance.id
    }

    /// Where its plugin stands.
    pub fn status(&self) -> PluginStatus {
        self.instance.status()
    }

    /// How what runs it is confined; `None` until that is known.
    pub fn tier(&self) -> Option<Tier> {
        self.instance.started().and_then(|plugin| plugin.tool_tier(&self.name))
    }
}

/// Two are the same if they are one registration.
impl PartialEq for Tool {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Deref for Tool {
    type Target = ToolDefinition;
    fn deref(&self) -> &ToolDefinition {
        &self.definition
    }
}

impl Definition for Tool {
    const KIND: &'static str = "tool";

    fn name(&self) -> &str {
        self.definition.name.as_str()
    }

    fn index(&self, add: &mut dyn FnMut(Index, &str)) {
        add(Index::Category, self.category.as_str());
        add_plugin(self.plugin_id.as_ref(), add);
        for competency in unique(&self.required_competencies, |requirement| requirement.id.as_str()) {
            add(Index::Competency, competency);
        }
    }
}
