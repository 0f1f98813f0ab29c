//! What comes before a call: may the tool be called, and do the arguments fit? The arguments stay what they are.

use gathering::{ArgumentError, ToolError};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::{Map, Value};

use crate::given::Given;
use crate::json::{to_json, to_python};
use crate::tool::Tool;

/// Refuses calls of a plugin that is disabled.
pub(crate) fn pass_gate(tool: &Tool) -> PyResult<()> {
    let Some(gate) = tool.gate.as_ref().map(Py::get).filter(|gate| !gate.open()) else { return Ok(()) };
    let error = ToolError::PluginDisabled { tool: tool.name.clone(), plugin: gate.plugin_id.clone() };
    Err(PyRuntimeError::new_err(error.to_string()))
}

/// The arguments to call `tool` with: those given, with the defaults of what was left out.
pub(crate) fn complete<'py>(
    py: Python<'py>,
    tool: &Tool,
    arguments: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    if tool.parameters.is_any() {
        return Ok(arguments);
    }
    let given = Given(arguments.into_any());
    let looked = tool.parameters.look(&given);
    let arguments = given.0.cast_into::<PyDict>()?;
    match looked {
        Some(missing) => {
            for (name, default) in missing {
                arguments.set_item(name, to_python(py, &default)?)?;
            }
            Ok(arguments)
        }
        None => check_closely(py, tool, arguments),
    }
}

/// Checks the arguments in their form in JSON: what fails there is said in the words of the schema.
fn check_closely<'py>(
    py: Python<'py>,
    tool: &Tool,
    arguments: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut map = Map::new();
    for (name, value) in &arguments {
        let name: String = name.extract()?;
        let value = match to_json(&value) {
            Ok(value) => value,
            Err(_) if tool.parameters.takes_anything_as(&name) => Value::Null,
            Err(no_form) => {
                let error =
                    ArgumentError { pointer: format!("/{name}"), message: format!("`{name}` {no_form}") };
                return Err(invalid(tool, &error));
            }
        };
        map.insert(name, value);
    }
    tool.parameters.arguments(&mut map).map_err(|errors| {
        let first = errors.first().expect("a check that fails says why");
        invalid(tool, first)
    })?;
    completed(py, arguments, &map)
}

/// `given` with what `map` has beside it, in nested objects too. What is there stays the object that it is.
fn completed<'py>(
    py: Python<'py>,
    given: Bound<'py, PyDict>,
    map: &Map<String, Value>,
) -> PyResult<Bound<'py, PyDict>> {
    let result = given.copy()?;
    for (name, value) in map {
        let name = PyString::new(py, name);
        match (given.get_item(&name)?, value) {
            (None, value) => result.set_item(name, to_python(py, value)?)?,
            (Some(held), Value::Object(inner)) => {
                if let Ok(held) = held.cast_into::<PyDict>()
                    && held.len() <= inner.len()
                {
                    result.set_item(name, completed(py, held, inner)?)?;
                }
            }
            _ => {}
        }
    }
    Ok(result)
}

fn invalid(tool: &Tool, error: &ArgumentError) -> PyErr {
    let path = error.pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
    let path = if path.is_empty() { "(root)" } else { &path };
    PyValueError::new_err(format!(
        "Invalid parameters for tool '{}': {} (at {path})",
        tool.name, error.message
    ))
}
