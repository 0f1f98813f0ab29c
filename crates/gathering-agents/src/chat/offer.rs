//! Which tools a model is shown: all that the agent may call, or, where these are too many, those that it has found.
//!
//! A tool that was found is added to the list of the next request, so that the model is given its schema in the one place
//! where every provider looks for it: providers of both formats check, and some constrain, what a model writes against the
//! schemas of the list, which a single tool that calls others by name would keep from them. The price is that a provider's
//! cache of the list is lost when something is found, which is seldom.

use std::collections::HashSet;
use std::sync::Arc;

use gathering_core::{CompetencyDefinition, Content, ToolDefinition};
use gathering_host::Tool;
use gathering_models::{Message, ToolResult};
use serde_json::Value;

/// The tools that find others.
const FINDERS: [&str; 2] = ["search_tools", "get_tool"];
/// The tools whose results name tools that can be called from then on.
const NAMING: [&str; 4] = ["search_tools", "get_tool", "create_plugin", "update_plugin"];
/// The tool that reads the instructions of a skill.
const READER: &str = "read_skill";
/// How many bytes telling of skills may take.
const SKILLS: usize = 16 << 10;
/// How many tools OpenAI takes in one request.
const MOST: usize = 128;
/// How deep names are looked for in a result.
const DEPTH: usize = 4;

/// What a model is told when it is not shown all tools.
pub(super) const HOW_TO_FIND: &str = "You may call more tools than are listed. `search_tools` finds them by what they do; what it finds \
     is listed from then on, and you call it by its name.";

/// The tools that a model is shown.
pub(super) struct Offer {
    pub(super) tools: Vec<Arc<ToolDefinition>>,
    /// Whether there are more, which it can find.
    pub(super) can_find: bool,
}

/// What of `view`, the tools that the agent may call, a model is shown in this conversation; at most `most`, unless they
/// cannot be searched. Who has skills is shown the tool that reads them in any case.
pub(super) fn offer(view: &[Arc<Tool>], messages: &[Message], most: usize, has_skills: bool) -> Offer {
    let is_finder = |tool: &&Arc<Tool>| {
        let name = tool.name.as_str();
        FINDERS.contains(&name) || (has_skills && name == READER)
    };
    let finders = || view.iter().filter(is_finder);
    let can_find = view.len() > most && finders().any(|tool| tool.name.as_str() == FINDERS[0]);
    if !can_find {
        let tools = view.iter().take(MOST).map(|tool| tool.definition().clone()).collect();
        return Offer { tools, can_find };
    }
    let found = found(messages);
    // What was found last is what is needed now.
    let mut seen = HashSet::new();
    let latest =
        found.iter().rev().filter(|name| seen.insert(**name)).take(most.saturating_sub(FINDERS.len()));
    let wanted: HashSet<&str> = latest.copied().collect();
    // In the order of registration, so that a provider finds the list that it knows.
    let is_shown = |tool: &&Arc<Tool>| wanted.contains(tool.name.as_str());
    let others = view.iter().filter(|tool| is_shown(tool) && !is_finder(tool));
    Offer { tools: finders().chain(others).map(|tool| tool.definition().clone()).collect(), can_find }
}

/// What a model is told of the skills of its agent; nothing if there are none.
pub(super) fn skills(held: &[Arc<CompetencyDefinition>]) -> Option<String> {
    if held.is_empty() {
        return None;
    }
    let mut told =
        format!("You have skills. Before you do what one is for, read its instructions with `{READER}`:");
    for (place, skill) in held.iter().enumerate() {
        // One line each, whatever its author wrote.
        let description: Vec<_> = skill.description.split_whitespace().collect();
        let line = format!("\n- `{}`: {}", skill.id, description.join(" "));
        if told.len() + line.len() > SKILLS {
            told.push_str(&format!("\n- and {} more, which are not listed here", held.len() - place));
            break;
        }
        told.push_str(&line);
    }
    Some(told)
}

/// The names that results have told, and those that were called, in this order.
fn found(messages: &[Message]) -> Vec<&str> {
    let mut names = Vec::new();
    for message in messages {
        match message {
            Message::Assistant { calls, .. } => names.extend(calls.iter().map(|call| call.name.as_str())),
            Message::Tool { results } => {
                let naming = results.iter().filter(|result| NAMING.contains(&result.name.as_str()));
                naming.for_each(|result| named(result, &mut names));
            }
            Message::User { .. } => {}
        }
    }
    names
}

fn named<'a>(result: &'a ToolResult, names: &mut Vec<&'a str>) {
    for part in &result.content {
        if let Content::Json { value } = part {
            look(value, DEPTH, names);
        }
    }
}

/// The members `name`, and texts in members `tools`. What of them is no tool is nowhere in the view.
fn look<'a>(value: &'a Value, depth: usize, names: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) if depth > 0 => {
            for (key, value) in members {
                match value {
                    Value::String(name) if key == "name" => names.push(name),
                    Value::Array(items) if key == "tools" => {
                        names.extend(items.iter().filter_map(Value::as_str));
                        items.iter().for_each(|item| look(item, depth - 1, names));
                    }
                    value => look(value, depth - 1, names),
                }
            }
        }
        // The best of what was found comes first, and is to be counted as the latest.
        Value::Array(items) if depth > 0 => items.iter().rev().for_each(|item| look(item, depth - 1, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(name: &str, value: Value) -> Message {
        let content = vec![Content::Json { value }];
        Message::Tool {
            results: vec![ToolResult { id: "a".into(), name: name.into(), content, is_error: false }],
        }
    }

    #[test]
    fn names_are_found_where_tools_that_name_others_tell_them() {
        let messages = [
            result("search_tools", json!({"tools": [{"name": "best", "parameters": {}}, {"name": "other"}]})),
            result("create_plugin", json!({"plugin_id": "p", "tools": ["made"]})),
            result("read_file", json!({"name": "unheard"})),
        ];

        let mut found = found(&messages);

        found.sort_unstable();
        assert_eq!(found, ["best", "made", "other"]);
    }
}
