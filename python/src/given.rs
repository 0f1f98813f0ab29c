//! Python values as the check program looks at them: as they are, without turning them into JSON.

use gathering::{Look, Seen};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// A Python value.
#[repr(transparent)]
pub(crate) struct Given<'py>(pub(crate) Bound<'py, PyAny>);

impl<'a, 'py> Given<'py> {
    /// The same value, looked at.
    pub(crate) fn of(value: &'a Bound<'py, PyAny>) -> &'a Self {
        // SAFETY: this is nothing around a `Bound`, and laid out as one.
        unsafe { &*std::ptr::from_ref(value).cast() }
    }
}

impl Look for Given<'_> {
    type Inner = Self;

    fn see(&self) -> Seen<'_> {
        let value = &self.0;
        if let Ok(text) = value.cast::<PyString>() {
            // A lone surrogate has no form in JSON.
            text.to_str().map_or(Seen::Other, Seen::Text)
        } else if let Ok(flag) = value.cast::<PyBool>() {
            Seen::Bool(flag.is_true())
        } else if value.is_instance_of::<PyInt>() {
            value.extract().map_or(Seen::Huge, Seen::Integer)
        } else if let Ok(number) = value.cast::<PyFloat>() {
            Seen::Float(number.value())
        } else if value.is_none() {
            Seen::Null
        } else if let Ok(list) = value.cast::<PyList>() {
            Seen::Array(list.len())
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            Seen::Array(tuple.len())
        } else if let Ok(dict) = value.cast::<PyDict>() {
            Seen::Object(dict.len())
        } else {
            Seen::Other
        }
    }

    fn items(&self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        if let Ok(list) = self.0.cast::<PyList>() {
            list.iter().all(|item| holds(&Given(item)))
        } else if let Ok(tuple) = self.0.cast::<PyTuple>() {
            tuple.iter().all(|item| holds(&Given(item)))
        } else {
            false
        }
    }

    fn entries(&self, mut holds: impl FnMut(&str, &Self) -> bool) -> bool {
        let Ok(dict) = self.0.cast::<PyDict>() else { return false };
        dict.iter().all(|(key, value)| {
            let key = key.cast::<PyString>().ok().and_then(|key| key.to_str().ok());
            key.is_some_and(|key| holds(key, &Given(value)))
        })
    }
}
