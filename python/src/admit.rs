//! Do the arguments fit, and the result? Both stay the objects that they are.

use gathering::{ArgumentError, Check, Tool};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use serde_json::{Map, Value};

use crate::call::one_error;
use crate::given::Given;
use crate::json::{schema_of, to_json, to_python};

/// The arguments to call `tool` with: those given, with the defaults of what was left out.
pub(crate) fn complete<'py>(
    py: Python<'py>,
    tool: &Tool,
    arguments: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    checked(py, tool.arguments(), arguments, |problem| {
        PyValueError::new_err(format!("Invalid parameters for tool '{}': {problem}", tool.name))
    })
}

/// Whether the result is what `tool` promises. What JSON has no word for is looked at as a worker would write it.
pub(crate) fn check_result(tool: &Tool, result: &Bound<'_, PyAny>) -> Result<(), Vec<ArgumentError>> {
    let check = tool.result();
    if check.is_any() || check.surely_takes(Given::of(result)) {
        return Ok(());
    }
    let value = match to_json(result) {
        Ok(value) => value,
        Err(_) => written(result).map_err(|error| one_error(error.value(result.py()).to_string()))?,
    };
    check.value(&value)
}

/// The value as JSON, with what a worker makes of dataclasses, dates and the like.
fn written(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let values = value.py().import(intern!(value.py(), "gathering._worker.values"))?;
    let text = values.call_method1(intern!(value.py(), "encode"), (value, isize::MAX))?;
    let text = text.cast::<PyBytes>()?.as_bytes();
    serde_json::from_slice(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The configuration of a plugin, with the defaults of `schema`, which is a JSON Schema or a bare map of settings.
#[pyfunction]
pub(crate) fn complete_config<'py>(
    py: Python<'py>,
    plugin_id: &str,
    schema: &Bound<'py, PyAny>,
    config: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let invalid = |problem: String| {
        PyValueError::new_err(format!("Plugin '{plugin_id}': invalid config_schema: {problem}"))
    };
    let schema = schema_of(schema).map_err(invalid)?;
    let check = Check::compile(&schema).map_err(|error| invalid(error.to_string()))?;
    checked(py, &check, config.copy()?, |problem| {
        PyValueError::new_err(format!(
            "The configuration of plugin '{plugin_id}' does not fit its schema: {problem}"
        ))
    })
}

fn checked<'py>(
    py: Python<'py>,
    check: &Check,
    arguments: Bound<'py, PyDict>,
    invalid: impl Fn(String) -> PyErr,
) -> PyResult<Bound<'py, PyDict>> {
    if check.is_any() {
        return Ok(arguments);
    }
    let given = Given(arguments.into_any());
    let looked = check.look(&given);
    let arguments = given.0.cast_into::<PyDict>()?;
    let Some(missing) = looked else { return check_closely(py, check, arguments, invalid) };
    for (name, default) in missing {
        arguments.set_item(name, to_python(py, &default)?)?;
    }
    Ok(arguments)
}

/// Checks the arguments in their form in JSON: what fails there is said in the words of the schema.
fn check_closely<'py>(
    py: Python<'py>,
    check: &Check,
    arguments: Bound<'py, PyDict>,
    invalid: impl Fn(String) -> PyErr,
) -> PyResult<Bound<'py, PyDict>> {
    let mut map = Map::new();
    for (name, value) in &arguments {
        let name: String = name.extract()?;
        let value = match to_json(&value) {
            Ok(value) => value,
            Err(_) if check.takes_anything_as(&name) => Value::Null,
            Err(no_form) => return Err(invalid(format!("`{name}` {no_form} (at {name})"))),
        };
        map.insert(name, value);
    }
    check.arguments(&mut map).map_err(|errors| {
        let first = errors.first().expect("a check that fails says why");
        let path =
            first.pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        invalid(format!("{} (at {})", first.message, if path.is_empty() { "(root)" } else { &path }))
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
