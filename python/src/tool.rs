//! A registered tool: the Python definition, what is looked up of it, and its compiled schema.

use std::sync::atomic::{AtomicBool, Ordering};

use gathering::{Check, Definition, Index, PluginId, ToolName};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::json::schema_of;

/// A registered tool. What it says is read once: a definition that is changed later has to be registered again.
pub(crate) struct Tool {
    pub(crate) name: ToolName,
    pub(crate) definition: Py<PyAny>,
    pub(crate) function: Py<PyAny>,
    pub(crate) is_async: bool,
    pub(crate) parameters: Check,
    pub(crate) gate: Option<Py<Gate>>,
    category: Box<str>,
    competencies: Box<[Box<str>]>,
    plugin: Option<Box<str>>,
}

impl Tool {
    /// Reads a `ToolDefinition`, and says what is wrong with it.
    pub(crate) fn read<'py>(
        registry: &Bound<'py, PyAny>,
        definition: &Bound<'py, PyAny>,
        gate: Option<Py<Gate>>,
    ) -> PyResult<Self> {
        let py = definition.py();
        let field = |name: &Bound<'py, PyString>| {
            definition.getattr(name).map_err(|cause| {
                let kind = definition.get_type();
                let error = PyTypeError::new_err(format!("expected a ToolDefinition, not {kind}"));
                error.set_cause(py, Some(cause));
                error
            })
        };
        let name: String = field(intern!(py, "name"))?.extract()?;
        let invalid = |problem: String| PyValueError::new_err(format!("Tool '{name}': {problem}"));
        let checked = ToolName::new(&name).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let schema = schema_of(&field(intern!(py, "parameters"))?)
            .map_err(|problem| invalid(format!("invalid parameters: {problem}")))?;
        let parameters =
            Check::compile(&schema).map_err(|error| invalid(format!("invalid parameters: {error}")))?;
        let required: Vec<String> = field(intern!(py, "required_competencies"))?.extract()?;
        let mut competencies: Vec<Box<str>> = Vec::with_capacity(required.len());
        for requirement in &required {
            // A requirement may name a level: `id:level`.
            let id = requirement.split(':').next().unwrap_or_default();
            if !competencies.iter().any(|held| **held == *id) {
                competencies.push(id.into());
            }
        }
        let plugin: Option<String> = field(intern!(py, "plugin_id"))?.extract()?;
        let mut function = field(intern!(py, "function"))?;
        if field(intern!(py, "requires_context"))?.is_truthy()? {
            let context = py.import(intern!(py, "gathering._process.context"))?;
            function = context.call_method1(intern!(py, "with_context"), (definition, registry))?;
        }
        Ok(Self {
            name: checked,
            definition: definition.clone().unbind(),
            function: function.unbind(),
            is_async: field(intern!(py, "async_function"))?.is_truthy()?,
            parameters,
            gate,
            category: field(intern!(py, "category"))?.extract::<String>()?.into(),
            competencies: competencies.into(),
            plugin: plugin.map(Into::into),
        })
    }
}

impl Definition for Tool {
    const KIND: &'static str = "tool";

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn index(&self, add: &mut dyn FnMut(Index, &str)) {
        add(Index::Category, &self.category);
        if let Some(plugin) = &self.plugin {
            add(Index::Plugin, plugin);
        }
        for competency in &self.competencies {
            add(Index::Competency, competency);
        }
    }
}

/// Whether the tools of a plugin may be called.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct Gate {
    pub(crate) plugin_id: PluginId,
    open: AtomicBool,
}

#[pymethods]
impl Gate {
    /// The gate of the plugin `plugin_id`, open.
    #[new]
    fn new(plugin_id: &str) -> PyResult<Self> {
        let plugin_id = PluginId::new(plugin_id).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { plugin_id, open: AtomicBool::new(true) })
    }

    /// Whether the plugin's tools may be called. Changes take effect at once, for all of them.
    #[getter]
    pub(crate) fn open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    #[setter]
    fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }
}
