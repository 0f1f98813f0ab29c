//! The tool registry: the tools of a host, with the Python objects that were registered. Readers never wait, and no lock is
//! held while Python runs.

use std::sync::Arc;

use gathering::{Index, Snapshot, Tool};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::call::{Running, Who};
use crate::definition::Kept;
use crate::execute::running;
use crate::host::{Host, kept};
use crate::json::to_python;

/// Tools by name, by category, by competency and by plugin.
#[pyclass(subclass, frozen, weakref, module = "gathering._core")]
pub(crate) struct ToolRegistry {
    host: Py<Host>,
}

#[pymethods]
impl ToolRegistry {
    /// The tools of `host`, or of a host of its own.
    #[new]
    #[pyo3(signature = (host=None))]
    fn new(py: Python<'_>, host: Option<Py<Host>>) -> PyResult<Self> {
        let host = host.map_or_else(|| Py::new(py, Host::new()?), Ok)?;
        Ok(Self { host })
    }

    /// What the tools are registered in.
    #[getter]
    fn _host(&self, py: Python<'_>) -> Py<Host> {
        self.host.clone_ref(py)
    }

    /// Registers a tool.
    fn register(&self, tool: &Bound<'_, PyAny>) -> PyResult<()> {
        self.host.get().register_tool(tool)
    }

    /// Removes the tool of this name; False if there is none.
    fn unregister(&self, name: &str) -> bool {
        self.host().unregister_tool(name)
    }

    /// Removes every tool.
    fn clear(&self) {
        self.host().clear_tools();
    }

    /// The tool of this name, or None.
    fn get<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = slf.get().snapshot().tools().get(name).cloned();
        found.map(|tool| definition(slf, &tool)).transpose()
    }

    /// Whether there is a tool of this name.
    fn has(&self, name: &str) -> bool {
        self.snapshot().tools().get(name).is_some()
    }

    fn __contains__(&self, name: &str) -> bool {
        self.has(name)
    }

    fn __len__(&self) -> usize {
        self.snapshot().tools().len()
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::list_all(slf)?.into_any().call_method0("__iter__")
    }

    /// All tools, in the order of registration.
    fn list_all<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        definitions(slf, &slf.get().snapshot().tools().list())
    }

    /// The tools of a category, in the order of registration.
    fn list_by_category<'py>(slf: &Bound<'py, Self>, category: &str) -> PyResult<Bound<'py, PyList>> {
        definitions(slf, &slf.get().snapshot().tools().list_by(Index::Category, category))
    }

    /// The tools that require a competency, in the order of registration.
    fn list_by_competency<'py>(slf: &Bound<'py, Self>, competency: &str) -> PyResult<Bound<'py, PyList>> {
        definitions(slf, &slf.get().snapshot().tools().list_by(Index::Competency, competency))
    }

    /// The tools of a plugin, in the order of registration.
    fn list_by_plugin<'py>(slf: &Bound<'py, Self>, plugin_id: &str) -> PyResult<Bound<'py, PyList>> {
        definitions(slf, &slf.get().snapshot().tools().list_by(Index::Plugin, plugin_id))
    }

    /// How many tools each category has, those in use.
    fn _categories(&self) -> Vec<(String, usize)> {
        counts(&self.snapshot(), Index::Category)
    }

    /// How many tools require each competency, those in use.
    fn _competencies(&self) -> Vec<(String, usize)> {
        counts(&self.snapshot(), Index::Competency)
    }

    /// How many tools each plugin has.
    fn _plugins(&self) -> Vec<(String, usize)> {
        counts(&self.snapshot(), Index::Plugin)
    }

    /// What `execute_async` runs: a call that is made already; None if the tool is no function of this process.
    fn _admit(
        &self,
        py: Python<'_>,
        tool_name: &str,
        arguments: Bound<'_, PyDict>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Running>> {
        running(py, self.host(), &Who::here(py, self.host())?, tool_name, arguments, timeout)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }
}

impl ToolRegistry {
    pub(crate) fn host(&self) -> &gathering::Host {
        &self.host.get().host
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.host().snapshot()
    }
}

/// The definition of a tool as Python knows it: the one that was registered, or what is made once of what another runtime
/// said.
pub(crate) fn definition<'py>(
    registry: &Bound<'py, ToolRegistry>,
    tool: &Arc<Tool>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = registry.py();
    let of = |kept: &Kept| kept.definition.bind(py).clone();
    if let Some(kept) = kept(tool) {
        return Ok(of(kept));
    }
    let data = serde_json::to_value(&***tool)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    let hosted = py.import(intern!(py, "gathering._process.hosted"))?;
    let made = hosted.call_method1(intern!(py, "definition"), (registry, to_python(py, &data)?))?;
    let kept = tool.keep(Box::new(Kept { definition: made.clone().unbind(), function: None }));
    Ok(kept.downcast_ref::<Kept>().map_or(made, of))
}

fn definitions<'py>(
    registry: &Bound<'py, ToolRegistry>,
    tools: &[Arc<Tool>],
) -> PyResult<Bound<'py, PyList>> {
    if tools.iter().all(|tool| kept(tool).is_some()) {
        let kept = tools.iter().filter_map(|tool| kept(tool));
        let definitions: Vec<_> = kept.map(|kept| kept.definition.bind(registry.py())).collect();
        return PyList::new(registry.py(), definitions);
    }
    let list = PyList::empty(registry.py());
    for tool in tools {
        list.append(definition(registry, tool)?)?;
    }
    Ok(list)
}

fn counts(snapshot: &Snapshot, index: Index) -> Vec<(String, usize)> {
    snapshot.tools().counts(index).into_iter().map(|(key, count)| (key.as_ref().to_owned(), count)).collect()
}
