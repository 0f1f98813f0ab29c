//! The shapes of competencies and file handlers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::shapes;

/// A competency. A competency shown alone has these members and more, so it is open to others.
#[derive(Serialize, ToSchema)]
pub(crate) struct Competency {
    /// What it is called by.
    id: String,
    /// Its name for people.
    name: String,
    /// What somebody who holds it can do.
    description: String,
    /// The field it belongs to.
    category: String,
    /// How far along a learning path it lies.
    level: String,
    /// What has to be held before it.
    prerequisites: Vec<String>,
    /// What it makes possible, in words.
    capabilities: Vec<String>,
    /// The tools it is about.
    tools_enabled: Vec<String>,
    /// The plugin that brought it.
    #[schema(required)]
    plugin_id: Option<String>,
    /// Where the folder with its instructions lies, below that of its plugin. Absent: it has none.
    #[schema(required = false, nullable = false)]
    instructions: Option<String>,
    /// Anything else its author keeps beside it.
    #[schema(value_type = Object)]
    metadata: Value,
}

/// A competency, what it builds on and what builds on it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CompetencyDetails {
    #[serde(flatten)]
    competency: Competency,
    /// Everything that has to be held before it.
    all_prerequisites: Vec<String>,
    /// What builds on it directly.
    dependents: Vec<String>,
}

shapes! {
    /// Competencies.
    struct Competencies {
        /// The competencies.
        competencies: Vec<Competency>,
        /// How many there are.
        total: usize,
    }

    /// What to learn to hold a competency.
    struct LearningPath {
        /// The competency.
        competency_id: String,
        /// Prerequisites first, the competency last.
        learning_path: Vec<String>,
    }

    /// The instructions of a competency, or a file beside them.
    struct Instructions {
        /// The competency.
        id: String,
        /// The text: Markdown, if no other file was asked for.
        text: String,
        /// The files beside the instructions, each to be asked for by this name.
        files: Vec<String>,
    }

    /// A file handler.
    struct FileHandler {
        /// What it is called by.
        name: String,
        /// What the format is.
        description: String,
        /// File name endings without the dot.
        extensions: Vec<String>,
        /// Media types.
        media_types: Vec<String>,
        /// Which tool does what: `read`, `info`, `preview`, `write`, `convert`.
        tools: BTreeMap<String, String>,
        /// The plugin that brought it.
        #[schema(required)]
        plugin_id: Option<String>,
    }

    /// File handlers.
    struct FileHandlers {
        /// The file handlers.
        file_handlers: Vec<FileHandler>,
        /// How many there are.
        total: usize,
    }
}
