//! What Python code defines, as the host knows it: metadata, tools, competencies and file handlers.

use std::sync::Arc;

use gathering::{
    CompetencyDefinition, FileHandlerDefinition, PluginId, PluginMetadata, Requirement, Schema,
    ToolAnnotations, ToolDefinition, ToolName,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json::{schema_of, to_json};

/// What is kept with a tool: the definition that people get back, and what runs it if that is a function of this process.
pub(crate) struct Kept {
    pub(crate) definition: Py<PyAny>,
    pub(crate) function: Option<Function>,
}

/// A Python function behind a tool.
pub(crate) struct Function {
    pub(crate) callable: Py<PyAny>,
    pub(crate) is_async: bool,
    pub(crate) wants_context: bool,
}

/// Reads a `ToolDefinition`, and says what is wrong with it. What it says is read once: one that is changed later has to be
/// registered again.
pub(crate) fn tool<'py>(definition: &Bound<'py, PyAny>) -> PyResult<(Arc<ToolDefinition>, Kept)> {
    let py = definition.py();
    let field = |name: &Bound<'py, PyString>| -> PyResult<Bound<'py, PyAny>> {
        definition.getattr(name).map_err(|cause| {
            let kind = definition.get_type();
            let error = PyTypeError::new_err(format!("expected a ToolDefinition, not {kind}"));
            error.set_cause(py, Some(cause));
            error
        })
    };
    let name: String = field(intern!(py, "name"))?.extract()?;
    let invalid = |what: &str, problem: &dyn std::fmt::Display| {
        PyValueError::new_err(format!("invalid {what} of the tool `{name}`: {problem}"))
    };
    let required: Vec<String> = field(intern!(py, "required_competencies"))?.extract()?;
    let required = required.into_iter().map(Requirement::try_from).collect::<Result<_, _>>();
    let plugin_id: Option<String> = field(intern!(py, "plugin_id"))?.extract()?;
    let returns = to_json(&field(intern!(py, "returns"))?).map_err(|no_form| invalid("returns", &no_form))?;
    let examples =
        to_json(&field(intern!(py, "examples"))?).map_err(|no_form| invalid("examples", &no_form))?;
    let wants_context = field(intern!(py, "requires_context"))?.is_truthy()?;
    let callable = field(intern!(py, "function"))?;
    if wants_context {
        py.import(intern!(py, "gathering._process.context"))?
            .call_method1(intern!(py, "check"), (definition,))?;
    }
    let is_async = field(intern!(py, "async_function"))?.is_truthy()?;
    let known = ToolDefinition {
        name: ToolName::new(&name).map_err(|error| PyValueError::new_err(error.to_string()))?,
        description: field(intern!(py, "description"))?.extract::<String>()?.into(),
        category: field(intern!(py, "category"))?.extract::<String>()?.into(),
        required_competencies: required.map_err(|error| invalid("required_competencies", &error))?,
        parameters: schema_of(&field(intern!(py, "parameters"))?)
            .map_err(|problem| invalid("parameters", &problem))?,
        returns: returned(&returns).map_err(|problem| invalid("returns", &problem))?,
        examples: match examples {
            Value::Array(examples) => examples.into(),
            _ => return Err(invalid("examples", &"expected a list")),
        },
        plugin_id: plugin_id.map(PluginId::new).transpose().map_err(|error| invalid("plugin_id", &error))?,
        async_function: is_async,
        requires_context: wants_context,
        annotations: ToolAnnotations::default(),
    };
    let function = Function { callable: callable.unbind(), is_async, wants_context };
    Ok((Arc::new(known), Kept { definition: definition.clone().unbind(), function: Some(function) }))
}

fn returned(returns: &Value) -> Result<Schema, String> {
    match returns {
        Value::Null => Ok(Schema::any()),
        returns => Schema::new(returns).map_err(|error| error.to_string()),
    }
}

/// Reads a `PluginMetadata`.
pub(crate) fn metadata(metadata: &Bound<'_, PyAny>) -> PyResult<PluginMetadata> {
    fields(metadata, "PluginMetadata", "id")
}

/// Reads a `CompetencyDefinition`.
pub(crate) fn competency(definition: &Bound<'_, PyAny>) -> PyResult<Arc<CompetencyDefinition>> {
    fields(definition, "CompetencyDefinition", "id").map(Arc::new)
}

/// Reads a `FileHandlerDefinition`.
pub(crate) fn file_handler(definition: &Bound<'_, PyAny>) -> PyResult<Arc<FileHandlerDefinition>> {
    fields(definition, "FileHandlerDefinition", "name").map(Arc::new)
}

/// Reads the fields of a dataclass; those that are None are taken for left out.
fn fields<T: DeserializeOwned>(object: &Bound<'_, PyAny>, class: &str, name: &str) -> PyResult<T> {
    let no_such = || PyTypeError::new_err(format!("expected a {class}, not {}", object.get_type()));
    let names = object.getattr(intern!(object.py(), "__dataclass_fields__")).map_err(|_| no_such())?;
    let given = PyDict::new(object.py());
    for field in names.cast::<PyDict>().map_err(|_| no_such())?.keys() {
        let field = field.cast_into::<PyString>()?;
        // Those that only the constructor takes are fields, too, and have properties of their own.
        if is_stored(object, &field)? {
            let value = object.getattr(&field)?;
            if !value.is_none() {
                given.set_item(&field, value)?;
            }
        }
    }
    let id = given.get_item(name)?.ok_or_else(no_such)?;
    let invalid =
        |problem: &dyn std::fmt::Display| PyValueError::new_err(format!("{class} '{id}': {problem}"));
    let value =
        to_json(given.as_any()).map_err(|no_form| invalid(&format!("one of its fields {no_form}")))?;
    serde_json::from_value(value).map_err(|error| invalid(&error))
}

fn is_stored(object: &Bound<'_, PyAny>, field: &Bound<'_, PyString>) -> PyResult<bool> {
    object.getattr(intern!(object.py(), "__dict__"))?.contains(field)
}
