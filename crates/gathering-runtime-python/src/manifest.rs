//! What a worker says of a plugin, checked: a manifest from a process that is not trusted.

use gathering_core::{
    CompetencyDefinition, FileHandlerDefinition, LoadError, LoadErrorKind, PluginManifest, PluginMetadata,
    ToolDefinition,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The metadata of a plugin.
pub(crate) fn metadata(said: Value) -> Result<PluginMetadata, LoadError> {
    serde_json::from_value(said).map_err(|error| invalid(format!("its metadata cannot be taken: {error}")))
}

/// The whole manifest of a plugin, checked.
pub(crate) fn whole(mut said: Value) -> Result<PluginManifest, LoadError> {
    let mut manifest = PluginManifest::new(metadata(said["metadata"].take())?);
    for tool in definitions::<ToolDefinition>("tool", said["tools"].take())? {
        manifest.tools.push(tool.into());
    }
    for competency in definitions::<CompetencyDefinition>("competency", said["competencies"].take())? {
        manifest.competencies.push(competency.into());
    }
    for handler in definitions::<FileHandlerDefinition>("file handler", said["file_handlers"].take())? {
        manifest.file_handlers.push(handler.into());
    }
    checked(manifest)
}

/// The manifest with the plugin's id on everything it contributes.
pub(crate) fn checked(manifest: PluginManifest) -> Result<PluginManifest, LoadError> {
    manifest.checked().map_err(|error| invalid(error.to_string()))
}

fn definitions<D: DeserializeOwned>(kind: &str, said: Value) -> Result<Vec<D>, LoadError> {
    let Value::Array(said) = said else { return Err(invalid(format!("its {kind} list is missing"))) };
    said.into_iter()
        .map(|definition| {
            let label = definition.get("name").or_else(|| definition.get("id"));
            let label: String = label.and_then(Value::as_str).unwrap_or_default().chars().take(64).collect();
            serde_json::from_value(definition).map_err(|error| {
                invalid(format!("the {kind} `{}` cannot be taken: {error}", label.escape_debug()))
            })
        })
        .collect()
}

fn invalid(message: String) -> LoadError {
    LoadError::new(LoadErrorKind::InvalidPlugin, message)
}
