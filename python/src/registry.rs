//! The tool registry: immutable tables behind one pointer. Readers never wait, and no lock is held while Python runs.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use gathering::{Index, Table, Taken};
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::admit::{complete, pass_gate};
use crate::tool::{Gate, Tool};

/// Tools by name, by category, by competency and by plugin.
#[pyclass(subclass, frozen, weakref, module = "gathering._core")]
#[derive(Default)]
pub(crate) struct ToolRegistry {
    table: ArcSwap<Table<Tool>>,
    /// Held while the next table is made of the current one. Nothing of Python's is run or dropped meanwhile.
    writer: Mutex<()>,
}

#[pymethods]
impl ToolRegistry {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Registers a tool.
    fn register(slf: &Bound<'_, Self>, tool: &Bound<'_, PyAny>) -> PyResult<()> {
        let tool = Arc::new(Tool::read(slf.as_any(), tool, None)?);
        slf.get().change(|table| table.register(tool)).map_err(taken)
    }

    /// Registers all of `tools`, whose calls pass `gate`, or none of them.
    fn _register_all(
        slf: &Bound<'_, Self>,
        tools: &Bound<'_, PyAny>,
        gate: &Bound<'_, Gate>,
    ) -> PyResult<()> {
        let read = |tool: PyResult<Bound<'_, PyAny>>| {
            Tool::read(slf.as_any(), &tool?, Some(gate.clone().unbind())).map(Arc::new)
        };
        let tools: Vec<_> = tools.try_iter()?.map(read).collect::<PyResult<_>>()?;
        slf.get().change(|table| tools.into_iter().try_for_each(|tool| table.register(tool))).map_err(taken)
    }

    /// Removes the tool of this name; False if there is none.
    fn unregister(&self, name: &str) -> bool {
        let removed = self.change(|table| {
            let is_held = table.get(name).is_some();
            Ok::<_, ()>(if is_held { table.unregister(name) } else { None })
        });
        removed.is_ok_and(|removed| removed.is_some())
    }

    /// Removes the tools of a plugin; returns how many there were.
    fn _unregister_plugin(&self, plugin_id: &str) -> usize {
        let removed = self.change(|table| {
            let tools = table.list_by(Index::Plugin, plugin_id);
            for tool in tools.iter() {
                table.unregister(tool.name.as_str());
            }
            Ok::<_, ()>(tools)
        });
        removed.map_or(0, |removed| removed.len())
    }

    /// Removes every tool.
    fn clear(&self) {
        let cleared = self.change(|table| Ok::<_, ()>(std::mem::take(table)));
        drop(cleared);
    }

    /// The tool of this name, or None.
    fn get<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyAny>> {
        self.table.load().get(name).map(|tool| tool.definition.bind(py).clone())
    }

    /// Whether there is a tool of this name.
    fn has(&self, name: &str) -> bool {
        self.table.load().get(name).is_some()
    }

    fn __contains__(&self, name: &str) -> bool {
        self.has(name)
    }

    fn __len__(&self) -> usize {
        self.table.load().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.list_all(py)?.into_any().call_method0("__iter__")
    }

    /// All tools, in the order of registration.
    fn list_all<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        definitions(py, &self.table.load().list())
    }

    /// The tools of a category, in the order of registration.
    fn list_by_category<'py>(&self, py: Python<'py>, category: &str) -> PyResult<Bound<'py, PyList>> {
        definitions(py, &self.table.load().list_by(Index::Category, category))
    }

    /// The tools that require a competency, in the order of registration.
    fn list_by_competency<'py>(&self, py: Python<'py>, competency: &str) -> PyResult<Bound<'py, PyList>> {
        definitions(py, &self.table.load().list_by(Index::Competency, competency))
    }

    /// The tools of a plugin, in the order of registration.
    fn list_by_plugin<'py>(&self, py: Python<'py>, plugin_id: &str) -> PyResult<Bound<'py, PyList>> {
        definitions(py, &self.table.load().list_by(Index::Plugin, plugin_id))
    }

    /// How many tools each category has, those in use.
    fn _categories(&self) -> Vec<(String, usize)> {
        counts(&self.table.load(), Index::Category)
    }

    /// How many tools require each competency, those in use.
    fn _competencies(&self) -> Vec<(String, usize)> {
        counts(&self.table.load(), Index::Competency)
    }

    /// How many tools each plugin has.
    fn _plugins(&self) -> Vec<(String, usize)> {
        counts(&self.table.load(), Index::Plugin)
    }

    /// What a call comes to: the function, whether it is asynchronous, and the arguments to call it with.
    fn _admit<'py>(
        &self,
        py: Python<'py>,
        tool_name: &str,
        arguments: Bound<'py, PyDict>,
    ) -> PyResult<(Bound<'py, PyAny>, bool, Bound<'py, PyDict>)> {
        let tool = self.find(tool_name)?;
        pass_gate(&tool)?;
        let arguments = complete(py, &tool, arguments)?;
        Ok((tool.function.bind(py).clone(), tool.is_async, arguments))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.table.load().list().iter().try_for_each(|tool| {
            visit.call(&tool.definition)?;
            visit.call(&tool.function)?;
            visit.call(&tool.gate)
        })
    }

    fn __clear__(&self) {
        self.clear();
    }
}

impl ToolRegistry {
    pub(crate) fn find(&self, name: &str) -> PyResult<Arc<Tool>> {
        let found = self.table.load().get(name).cloned();
        found.ok_or_else(|| PyValueError::new_err(format!("Tool '{name}' not found in registry")))
    }

    /// Puts what `build` makes of the table in its place, unless it fails. `build` must not run Python.
    fn change<T, E>(&self, build: impl FnOnce(&mut Table<Tool>) -> Result<T, E>) -> Result<T, E> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = (**self.table.load()).clone();
        let made = build(&mut next);
        let old = made.is_ok().then(|| self.table.swap(Arc::new(next)));
        // Dropping the last of a Python object may run its finalizer, which may come back here.
        drop(writer);
        drop(old);
        made
    }
}

fn definitions<'py>(py: Python<'py>, tools: &[Arc<Tool>]) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, tools.iter().map(|tool| tool.definition.bind(py)))
}

fn counts(table: &Table<Tool>, index: Index) -> Vec<(String, usize)> {
    table.counts(index).into_iter().map(|(key, count)| (key.as_ref().to_owned(), count)).collect()
}

fn taken(taken: Taken<Tool>) -> PyErr {
    let name = &taken.holder.name;
    PyValueError::new_err(format!("Tool '{name}' already registered. Use unregister() first to replace it."))
}

/// The documents' exception; what is no `Exception`, such as `KeyboardInterrupt`, passes as it is.
pub(crate) fn failed(py: Python<'_>, tool_name: &str, cause: PyErr) -> PyErr {
    if !cause.is_instance_of::<PyException>(py) {
        return cause;
    }
    let error = PyException::new_err(format!("Error executing tool '{tool_name}': {}", cause.value(py)));
    error.set_cause(py, Some(cause));
    error
}
