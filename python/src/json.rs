//! Python values to JSON and back, where JSON has a word for them.

use std::fmt;

use gathering::Schema;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// The deepest that values may be nested: a list that holds itself has no end.
const MAX_DEPTH: usize = 128;

/// Why a value has no form in JSON.
#[derive(Debug)]
pub(crate) enum NoForm {
    Type(String),
    Number(String),
    Key(String),
    Depth,
}

impl fmt::Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(name) => write!(f, "is or holds a value of type {name}, which has no form in JSON"),
            Self::Number(number) => write!(f, "is or holds the number {number}, which has no form in JSON"),
            Self::Key(key) => write!(f, "has the key {key}, and in JSON keys are texts"),
            Self::Depth => write!(f, "is nested deeper than {MAX_DEPTH}, or holds itself"),
        }
    }
}

/// The value as JSON. Tuples are arrays; subclasses of `str`, `int` and `float`, such as members of enums, are what they
/// inherit from.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> Result<Value, NoForm> {
    write(value, 0)
}

fn write(value: &Bound<'_, PyAny>, depth: usize) -> Result<Value, NoForm> {
    if depth > MAX_DEPTH {
        return Err(NoForm::Depth);
    }
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|_| NoForm::Type("str with a lone surrogate".into()))?;
        Ok(text.into())
    } else if let Ok(flag) = value.cast::<PyBool>() {
        Ok(flag.is_true().into())
    } else if value.is_instance_of::<PyInt>() {
        let small =
            value.extract::<i64>().map(Value::from).or_else(|_| value.extract::<u64>().map(Value::from));
        // Of a number beyond 64 bits JSON keeps the size and loses the last digits; a check needs no more.
        small.or_else(|_| value.extract::<f64>().map_err(|_| shown(value)).and_then(float))
    } else if let Ok(number) = value.cast::<PyFloat>() {
        float(number.value())
    } else if value.is_none() {
        Ok(Value::Null)
    } else if let Ok(list) = value.cast::<PyList>() {
        list.iter().map(|item| write(&item, depth + 1)).collect()
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        tuple.iter().map(|item| write(&item, depth + 1)).collect()
    } else if let Ok(dict) = value.cast::<PyDict>() {
        let mut map = Map::with_capacity(dict.len());
        for (key, value) in dict {
            let key =
                key.cast::<PyString>().ok().and_then(|key| key.to_str().ok().map(str::to_owned)).ok_or_else(
                    || NoForm::Key(key.repr().map_or_else(|_| "?".into(), |key| key.to_string())),
                )?;
            map.insert(key, write(&value, depth + 1)?);
        }
        Ok(map.into())
    } else {
        let name = value.get_type().fully_qualified_name();
        Err(NoForm::Type(name.map_or_else(|_| "?".into(), |name| name.to_string())))
    }
}

fn shown(number: &Bound<'_, PyAny>) -> NoForm {
    // Python refuses to write very long numbers.
    NoForm::Number(number.str().map_or_else(|_| "of that many digits".into(), |digits| digits.to_string()))
}

fn float(number: f64) -> Result<Value, NoForm> {
    Number::from_f64(number).map(Value::Number).ok_or_else(|| NoForm::Number(number.to_string()))
}

/// The value in Python's own types.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => map_to_python(py, map)?.into_any(),
    })
}

/// The object as a `dict`.
pub(crate) fn map_to_python<'py>(py: Python<'py>, map: &Map<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in map {
        dict.set_item(key, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// What `parameters` say, as a schema: a JSON Schema, or the documents' bare map of properties.
pub(crate) fn schema_of(parameters: &Bound<'_, PyAny>) -> Result<Schema, String> {
    if parameters.is_none() {
        return Ok(Schema::any());
    }
    let value = to_json(parameters).map_err(|no_form| format!("the schema {no_form}"))?;
    Schema::parameters(&value).map_err(|error| error.to_string())
}

/// The JSON Schema that `parameters` mean: themselves, or what a bare map of properties stands for.
#[pyfunction]
pub(crate) fn parameters_schema<'py>(
    py: Python<'py>,
    parameters: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let schema = schema_of(parameters)
        .map_err(|problem| PyValueError::new_err(format!("invalid parameters: {problem}")))?;
    to_python(py, &schema.to_value())
}
