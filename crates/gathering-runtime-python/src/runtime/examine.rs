//! Examining the code of tools, in a worker like those that plugins run in.

use std::sync::atomic::Ordering;
use std::time::Instant;

use gathering_core::{
    DynamicPlugin, LoadError, LoadErrorKind, MAX_ALL_CODE, Origin, PluginSource, Progress, Schema, ToolName,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PythonRuntime, Scratch, Wanted};
use crate::dynamic::{CodeProblem, ExamineError, Examined, ExaminedTool, ExampleCall};
use crate::environment::Requirements;
use crate::source::script_block;
use crate::starter::within;
use crate::worker::Reply;

/// The most that the answer of a worker may have, in bytes: schemas repeat little of the code.
const MAX_ANSWER: usize = 4 * MAX_ALL_CODE;

impl PythonRuntime {
    /// Runs the code of a plugin's tools, as modules and no further, and infers what was not said of them.
    ///
    /// A plugin that has `code` in place of tools has a tool for each public function. What its code asks for in blocks
    /// of PEP 723 is added to its packages, which are installed first, and to its permissions.
    pub async fn examine(
        &self,
        plugin: &mut DynamicPlugin,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Examined, ExamineError> {
        add_script_blocks(plugin)?;
        let number = self.described.fetch_add(1, Ordering::Relaxed);
        let home = Scratch(self.config.data_dir.join("scratch").join(format!(".examine-{number}")));
        let place = home.0.join("tools.py");
        tokio::fs::create_dir_all(&home.0).await.map_err(|error| disk(&error))?;
        tokio::fs::write(&place, "").await.map_err(|error| disk(&error))?;
        let source = PluginSource::Path(place);
        let wanted =
            Wanted::to_look(&source, Origin::Agent, plugin.plugin_id.to_string(), home.0.clone(), deadline);
        let mut prepared = self.prepare(wanted).await?;
        prepared.requirements = Requirements::of_agents();
        prepared.requirements.add(&plugin.python_dependencies)?;
        let said = within(deadline, async {
            let (starter, requirements) = (&mut prepared.starter, &prepared.requirements);
            if !requirements.is_empty() {
                let place = self.environments.prepare(requirements, &starter.interpreter, progress).await?;
                starter.site_packages = vec![place];
            }
            let params = json!({
                "tools": plugin.tools,
                "code": plugin.code,
                "config": plugin.config.clone().unwrap_or_default(),
                "site_packages": starter.site_packages,
            });
            let limit = self.config.examine_timeout;
            let running = async {
                let mut worker = starter.spawn().await?;
                match worker.request("examine", params.to_string().as_bytes(), MAX_ANSWER, None).await {
                    Ok(Reply::Value(said)) => Ok(said),
                    Ok(Reply::Refused(refusal)) => Err(invalid(refusal.message)),
                    Ok(Reply::NotJson(error)) => Err(invalid(error.to_string())),
                    Err(failure) => Err(invalid(format!("while the code was examined, {failure}"))),
                }
            };
            tokio::time::timeout(limit, running).await.unwrap_or_else(|_| {
                let message = format!(
                    "the code had not run to its end after {limit:.0?} and was stopped: what takes long, or waits, belongs \
                     in a function and not at the top level (the operator's `python.examine_timeout` allows more)"
                );
                Err(LoadError::new(LoadErrorKind::TimedOut, message))
            })
        })
        .await?;
        read(plugin, said)
    }
}

fn add_script_blocks(plugin: &mut DynamicPlugin) -> Result<(), ExamineError> {
    let codes = plugin.tools.iter().enumerate().map(|(place, tool)| (Some((place, &tool.name)), &tool.code));
    let (mut found, mut asked) = (Vec::new(), plugin.permissions.clone());
    for (tool, code) in codes.chain(plugin.code.iter().map(|code| (None, code))) {
        let block = script_block(code).map_err(|message| {
            ExamineError::Code(CodeProblem {
                place: tool.map(|(place, _)| place),
                tool: tool.map(|(_, name)| name.to_string()),
                message,
                line: None,
                column: None,
                traceback: String::new(),
            })
        })?;
        asked = asked.union(block.permissions());
        found.extend(block.dependencies);
    }
    plugin.permissions = asked;
    for dependency in found {
        if !plugin.python_dependencies.contains(&dependency) {
            plugin.python_dependencies.push(dependency);
        }
    }
    Ok(())
}

/// What a worker says of the code; it is not trusted.
#[derive(Deserialize)]
struct Said {
    problem: Option<SaidProblem>,
    #[serde(default)]
    tools: Vec<SaidTool>,
    #[serde(default)]
    documentation: String,
}

#[derive(Deserialize)]
struct SaidProblem {
    place: Option<usize>,
    tool: Option<String>,
    code: String,
    message: String,
    line: Option<u64>,
    column: Option<u64>,
    traceback: String,
}

#[derive(Deserialize)]
struct SaidTool {
    name: String,
    function: String,
    description: String,
    parameters: Value,
    returns: Value,
    calls: Vec<SaidCall>,
}

#[derive(Deserialize)]
struct SaidCall {
    place: usize,
    arguments: Map<String, Value>,
    #[serde(default, deserialize_with = "there")]
    result: Option<Value>,
}

/// A null that is there is a result.
fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

fn read(plugin: &DynamicPlugin, said: Value) -> Result<Examined, ExamineError> {
    let strange = |reason: String| invalid(format!("the examination of the code went wrong: {reason}"));
    let said: Said = serde_json::from_value(said).map_err(|error| strange(error.to_string()))?;
    if let Some(problem) = said.problem {
        let SaidProblem { place, tool, code, message, line, column, traceback } = problem;
        if code == "missing_dependency" {
            let message = format!(
                "{}{message}; if it is a package, name it in `python_dependencies`, and it is installed",
                tool.map(|tool| format!("`{tool}`: ")).unwrap_or_default()
            );
            return Err(LoadError { kind: LoadErrorKind::MissingDependency, message, traceback }.into());
        }
        return Err(ExamineError::Code(CodeProblem { place, tool, message, line, column, traceback }));
    }
    let whole = plugin.tools.is_empty();
    if said.tools.is_empty() || !whole && said.tools.len() != plugin.tools.len() {
        return Err(strange(format!("it told of {} tools", said.tools.len())).into());
    }
    let mut tools = Vec::new();
    for (place, tool) in said.tools.into_iter().enumerate() {
        let name = ToolName::new(&tool.name).map_err(|error| {
            let problem = CodeProblem {
                place: None,
                tool: None,
                message: format!(
                    "a public function would be a tool: {error}; begin its name with `_` otherwise"
                ),
                line: None,
                column: None,
                traceback: String::new(),
            };
            ExamineError::Code(problem)
        })?;
        if !whole && plugin.tools[place].name != name {
            return Err(strange(format!("it told of `{name}`")).into());
        }
        if !is_identifier(&tool.function) {
            return Err(strange(format!("`{}` is no function", tool.function.escape_debug())).into());
        }
        for schema in [Schema::parameters(&tool.parameters), Schema::new(&tool.returns)] {
            schema.map_err(|error| strange(error.to_string()))?;
        }
        let calls = tool.calls.into_iter().map(|call| ExampleCall {
            place: call.place,
            arguments: call.arguments,
            result: call.result,
        });
        tools.push(ExaminedTool {
            name,
            function: tool.function,
            description: tool.description,
            parameters: tool.parameters,
            returns: tool.returns,
            calls: calls.collect(),
        });
    }
    Ok(Examined { tools, documentation: said.documentation })
}

/// Whether it can stand behind a dot in Python. Python has more identifiers; a function's name is one of ours or the tool's.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
        && name.len() <= 256
}

fn invalid(message: String) -> LoadError {
    LoadError::new(LoadErrorKind::InvalidPlugin, message)
}

fn disk(error: &std::io::Error) -> LoadError {
    LoadError::new(LoadErrorKind::RuntimeFailed, format!("there is no scratch folder: {error}"))
}
