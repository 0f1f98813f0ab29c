//! Skills that stand by themselves: a folder with a `SKILL.md` is a plugin that brings one competency and runs no code.

use std::path::Path;
use std::time::Instant;

use gathering_core::{
    BoxFuture, CallContext, LoadError, LoadErrorKind, LoadRequest, Plugin, PluginManifest, PluginMetadata,
    PluginSource, Runtime, ToolCall, ToolError, ToolOutput,
};
use serde_json::json;

use super::{FILE, digest, skill};

/// The kind of plugin that a skill is.
pub(crate) const KIND: &str = "skill";

/// Takes folders with a `SKILL.md` for plugins that bring one competency each.
#[derive(Debug, Clone, Copy, Default)]
pub struct SkillsRuntime;

impl SkillsRuntime {
    fn manifest(source: &PluginSource) -> Result<PluginManifest, LoadError> {
        let folder = folder(source)?;
        let competency = skill(folder, ".")?;
        let license =
            competency.metadata.get("license").and_then(|license| license.as_str()).unwrap_or_default();
        let metadata: PluginMetadata = serde_json::from_value(json!({
            "id": competency.id,
            "name": competency.name,
            "version": competency.metadata.get("version").and_then(|version| version.as_str()).unwrap_or("1.0.0"),
            "description": competency.description,
            "license": license,
            "tags": ["skill"],
        }))
        .map_err(|error| LoadError::new(LoadErrorKind::InvalidPlugin, format!("{}: {error}", folder.display())))?;
        let mut manifest = PluginManifest::new(metadata);
        manifest.competencies.push(competency.into());
        manifest.checked().map_err(|error| LoadError::new(LoadErrorKind::InvalidPlugin, error.to_string()))
    }
}

fn folder(source: &PluginSource) -> Result<&Path, LoadError> {
    source.path().filter(|path| path.join(FILE).is_file()).ok_or_else(|| {
        LoadError::new(LoadErrorKind::NotFound, format!("{source} is no folder with a `{FILE}`"))
    })
}

impl Runtime for SkillsRuntime {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn recognises(&self, path: &Path) -> bool {
        path.join(FILE).is_file()
    }

    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError> {
        digest(folder(source)?)
    }

    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(async move { Self::manifest(source) })
    }

    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(async move {
            let manifest = Self::manifest(request.source)?;
            Ok(Box::new(Skill(manifest)) as Box<dyn Plugin>)
        })
    }
}

/// A skill as a plugin.
struct Skill(PluginManifest);

impl Plugin for Skill {
    fn manifest(&self) -> &PluginManifest {
        &self.0
    }

    fn call<'a>(
        &'a self,
        call: ToolCall,
        _cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(
            async move { Err(ToolError::UnknownTool { tool: call.tool.to_string(), nearest: Vec::new() }) },
        )
    }
}
