//! Which file handler a file belongs to, and that no two plugins claim one format unless the operator chose.

use std::collections::BTreeMap;
use std::sync::Arc;

use gathering_core::{FileHandlerDefinition, PluginId};

use crate::error::PluginError;
use crate::snapshot::Snapshot;
use crate::table::Index;

/// The extension of a handler for files that no other handler is for.
const ANY: &str = "*";

/// The plugin that handles an extension, where the operator chose one: by the extension in lower case, without its dot.
pub(crate) type Choices = BTreeMap<String, String>;

impl Snapshot {
    /// The handler of files that are called like this: by the longest ending that one knows (`tar.gz` goes before `gz`),
    /// without regard to case, else by the whole name (`Dockerfile`), else the one for all other files (`*`).
    pub fn file_handler_for(&self, path: &str) -> Option<Arc<FileHandlerDefinition>> {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        let endings = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
        endings.chain([name.as_str(), ANY]).find_map(|extension| self.file_handler_of(extension))
    }

    /// The handler of an extension, which may have its dot. Where several plugins have one, it is that of the plugin that
    /// the operator chose, else the first.
    pub fn file_handler_of(&self, extension: &str) -> Option<Arc<FileHandlerDefinition>> {
        let extension = extension.trim_start_matches('.').to_lowercase();
        let held = self.file_handlers().list_by(Index::Extension, &extension);
        let chosen = self.choices.get(&extension);
        held.iter()
            .find(|handler| is_of(handler, chosen.map(String::as_str)))
            .or_else(|| held.first())
            .cloned()
    }

    /// The handler of a media type, without regard to case and parameters such as `charset`.
    pub fn file_handler_of_type(&self, media_type: &str) -> Option<Arc<FileHandlerDefinition>> {
        let essence = media_type.split(';').next().unwrap_or(media_type).trim().to_lowercase();
        self.file_handlers().list_by(Index::MediaType, &essence).first().cloned()
    }

    /// Refuses what would handle files that a handler of another plugin is for, unless the operator chose between them.
    pub(crate) fn check_file_handlers(
        &self,
        id: &PluginId,
        new: &[Arc<FileHandlerDefinition>],
    ) -> Result<(), PluginError> {
        for extension in new.iter().flat_map(|handler| &handler.extensions) {
            let extension = extension.trim_start_matches('.').to_lowercase();
            let held = self.file_handlers().list_by(Index::Extension, &extension);
            let other =
                held.iter().filter_map(|handler| handler.plugin_id.as_ref()).find(|plugin| *plugin != id);
            if let Some(other) = other.filter(|_| !self.choices.contains_key(&extension)) {
                let choice = format!("files.handlers.\"{extension}\" = \"{other}\"");
                return Err(PluginError::AlreadyRegistered {
                    id: id.clone(),
                    kind: "file name ending",
                    holder: format!(
                        " by the plugin `{other}` (choose one of them: `{choice}` in gathering.toml)"
                    ),
                    name: extension,
                });
            }
        }
        Ok(())
    }
}

fn is_of(handler: &FileHandlerDefinition, chosen: Option<&str>) -> bool {
    let plugin = handler.plugin_id.as_ref().map(PluginId::as_str);
    plugin.zip(chosen).is_some_and(|(plugin, chosen)| plugin.eq_ignore_ascii_case(chosen))
}
