//! An agent of this process: the tools of a host with the rights of somebody who is not its operator.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gathering::{AgentId, AgentRights, Caller, HeldCompetency, Tool};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::call::{Running, Who};
use crate::execute::{execute, running};
use crate::registry::{ToolRegistry, definition};

/// Whoever calls with the competencies that it was given.
#[pyclass(subclass, frozen, weakref, module = "gathering._core")]
pub(crate) struct Agent {
    registry: Py<ToolRegistry>,
    rights: ArcSwap<AgentRights>,
}

#[pymethods]
impl Agent {
    /// The agent `id`, which calls tools of `registry`. A competency is written `id` or `id:level`.
    #[new]
    fn new(registry: Py<ToolRegistry>, id: &str, competencies: Vec<String>) -> PyResult<Self> {
        let id = AgentId::new(id).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let rights = AgentRights::new(id, held(&competencies, Vec::new())?);
        Ok(Self { registry, rights: ArcSwap::from_pointee(rights) })
    }

    /// Names the agent.
    #[getter]
    fn id(&self) -> String {
        self.rights.load().id.to_string()
    }

    /// What it holds, as `id` or `id:level`.
    #[getter]
    fn competencies(&self) -> Vec<String> {
        self.rights.load().competencies.iter().map(written).collect()
    }

    /// Lets it hold more; one that it holds already has the new level then.
    #[pyo3(signature = (*competencies))]
    fn grant(&self, competencies: Vec<String>) -> PyResult<()> {
        // Said wrongly, nothing is granted.
        held(&competencies, Vec::new())?;
        self.change(|before| held(&competencies, before).unwrap_or_default());
        Ok(())
    }

    /// Takes competencies from it; what its calls in flight go on to call is refused with them. ValueError if it does not
    /// hold one.
    #[pyo3(signature = (*competencies))]
    fn revoke(&self, competencies: Vec<String>) -> PyResult<()> {
        let has = |id: &String| self.rights.load().competencies.iter().any(|held| held.id.as_str() == id);
        if let Some(id) = competencies.iter().find(|id| !has(id)) {
            let held = self.competencies().join(", ");
            let held = if held.is_empty() { "nothing".to_owned() } else { held };
            let agent = self.id();
            return Err(PyValueError::new_err(format!(
                "agent '{agent}' does not hold '{id}': it holds {held}"
            )));
        }
        let keeps = |held: &HeldCompetency| competencies.iter().all(|id| held.id.as_str() != id);
        let before = self.change(|before| before.into_iter().filter(keeps).collect());
        before.withdraw();
        Ok(())
    }

    /// The tools that it may call, in the order of registration.
    fn tools<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (registry, list) = (self.registry.bind(py), PyList::empty(py));
        let tools: Arc<[Arc<Tool>]> =
            registry.get().host().tools_for(&Caller::Agent(self.rights.load_full()));
        for tool in tools.iter() {
            list.append(definition(registry, tool)?)?;
        }
        Ok(list)
    }

    /// Calls a tool, as `ToolRegistry.execute` does, if the agent may call it; else PermissionError.
    #[pyo3(signature = (tool_name, /, **arguments))]
    fn execute<'py>(
        &self,
        py: Python<'py>,
        tool_name: &str,
        arguments: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = arguments.unwrap_or_else(|| PyDict::new(py));
        execute(py, self.registry.get().host(), &self.who(), tool_name, arguments)
    }

    /// What `execute_async` runs; None if the tool is no function of this process.
    fn _admit(
        &self,
        py: Python<'_>,
        tool_name: &str,
        arguments: Bound<'_, PyDict>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Running>> {
        running(py, self.registry.get().host(), &self.who(), tool_name, arguments, timeout)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.registry)
    }
}

impl Agent {
    fn who(&self) -> Who {
        Who::Agent(self.rights.load_full())
    }

    /// Puts other competencies in the place of those that it holds; returns the rights of before.
    fn change(&self, change: impl Fn(Vec<HeldCompetency>) -> Vec<HeldCompetency>) -> Arc<AgentRights> {
        self.rights.rcu(|rights| AgentRights::new(rights.id.clone(), change(rights.competencies.clone())))
    }
}

fn held(competencies: &[String], mut held: Vec<HeldCompetency>) -> PyResult<Vec<HeldCompetency>> {
    for text in competencies {
        let new: HeldCompetency =
            text.parse().map_err(|error| PyValueError::new_err(format!("competency '{text}': {error}")))?;
        held.retain(|held| held.id != new.id);
        held.push(new);
    }
    Ok(held)
}

fn written(held: &HeldCompetency) -> String {
    if held.level == Default::default() { held.id.to_string() } else { format!("{}:{}", held.id, held.level) }
}
