//! The competencies of the core plugin: what an agent has to hold to use the tools that every GatheRing has.

use serde_json::{Value, json};

/// They require one another only where one contains the other: whoever holds a competency may use the tools of those
/// that it builds on.
pub(super) fn definitions() -> Value {
    json!([
        {
            "id": "file_management",
            "name": "File Management",
            "description": "Reading, writing and listing files inside the folder that the operator chose",
            "category": "utility",
            "level": "novice",
            "capabilities": ["Read text files in any encoding", "Write files atomically", "List folders"],
            "tools_enabled": ["read_file", "write_file", "list_directory"],
        },
        {
            "id": "git",
            "name": "Version Control (Git)",
            "description": "Looking at Git repositories, and recording changes in them",
            "category": "programming",
            "capabilities": ["See what has changed", "Read diffs and the history", "Commit"],
            "tools_enabled": ["git_status", "git_diff", "git_log", "git_commit"],
        },
        {
            "id": "shell",
            "name": "Shell Commands",
            "description": "Running commands and reading their output",
            "category": "devops",
            "level": "advanced",
            "capabilities": ["Run programs", "Combine them", "Read exit codes and output"],
            "tools_enabled": ["run_command"],
        },
        {
            "id": "python",
            "name": "Python Programming",
            "description": "Python development, testing, packaging",
            "category": "programming",
            "capabilities": ["Write and read Python", "Run Python code", "Package it"],
            "tools_enabled": ["python_eval"],
        },
        {
            "id": "javascript",
            "name": "JavaScript Programming",
            "description": "JavaScript and TypeScript development, testing, packaging",
            "category": "programming",
            "capabilities": ["Write and read JavaScript and TypeScript", "Run JavaScript code", "Use npm packages"],
            "tools_enabled": ["javascript_eval"],
        },
        {
            "id": "mathematics",
            "name": "Mathematics",
            "description": "Arithmetic, algebra and elementary functions",
            "category": "scientific_computing",
            "level": "novice",
            "capabilities": ["Compute with exact integers and floats", "Compute percentages"],
            "tools_enabled": ["calculate"],
        },
        {
            "id": "language_models",
            "name": "Language Models",
            "description": "Asking language models, and judging what they answer",
            "category": "nlp",
            "capabilities": ["Write prompts", "Choose a model", "Check answers"],
            "tools_enabled": ["llm_chat"],
        },
        {
            "id": "testing",
            "name": "Software Testing",
            "description": "Writing tests, running them, and reading what they say",
            "category": "programming",
            "capabilities": ["Write unit and integration tests", "Run them", "Find the cause of a failure"],
            "tools_enabled": ["run_tests"],
        },
        {
            "id": "plugin_authoring",
            "name": "Plugin Authoring",
            "description": "Writing plugins for GatheRing in Python",
            "category": "programming",
            "level": "advanced",
            "prerequisites": ["python"],
            "capabilities": ["Describe tools with schemas", "Write, load and repair plugins"],
            "tools_enabled": ["create_plugin", "update_plugin", "remove_plugin"],
        },
    ])
}
