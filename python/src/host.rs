//! The host of some registries: what all of them are registered in, and where plugins of this process stand.

use std::sync::Arc;
use std::time::Duration;

use gathering::{
    Additions, Handle, HeldCompetency, InProcess, Index, Limits, PluginError, PluginManifest, PluginMetadata,
    Requirement, Table,
};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use serde::Serialize;

use crate::definition::{self, Kept};
use crate::in_process::PythonPlugin;
use crate::json::to_python;

/// As good as no limit.
pub(crate) const UNLIMITED: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What registries are registered in: those of one process share one, and each that is made beside them has its own.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct Host {
    pub(crate) host: gathering::Host,
    own: InProcess,
}

#[pymethods]
impl Host {
    #[new]
    pub(crate) fn new() -> PyResult<Self> {
        let host = gathering::Host::builder().limits(limits()).build();
        let metadata: PluginMetadata = serde_json::from_value(serde_json::json!({
            "id": "by_hand", "name": "By hand", "version": gathering::VERSION,
            "description": "What was registered by hand, by no plugin.",
        }))
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let own = host.in_process(Box::new(PythonPlugin::new(PluginManifest::new(metadata), &host)));
        Ok(Self { host, own })
    }

    /// Registers all that a plugin of this process contributes, or nothing. `metadata` is its `PluginMetadata`. What is not
    /// `listed` belongs to a plugin that is listed in another host, whose registries have the rest of it.
    fn attach(
        &self,
        listed: bool,
        metadata: &Bound<'_, PyAny>,
        tools: Vec<Bound<'_, PyAny>>,
        competencies: Vec<Bound<'_, PyAny>>,
        file_handlers: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<Attached> {
        let mut manifest = PluginManifest::new(definition::metadata(metadata)?);
        let tools: Vec<_> = tools.iter().map(definition::tool).collect::<PyResult<_>>()?;
        let tools = tools.into_iter().map(|(tool, kept)| (tool, Box::new(kept) as Handle));
        let competencies = competencies.iter().map(definition::competency).collect::<PyResult<_>>()?;
        let file_handlers = file_handlers.iter().map(definition::file_handler).collect::<PyResult<_>>()?;
        let plugin = |manifest| Box::new(PythonPlugin::new(manifest, &self.host));
        let attached = if listed {
            let handles;
            (manifest.tools, handles) = tools.unzip();
            (manifest.competencies, manifest.file_handlers) = (competencies, file_handlers);
            self.host.attach(plugin(manifest), handles)
        } else {
            let own = self.host.in_process(plugin(manifest));
            let additions = Additions { tools: tools.collect(), competencies, file_handlers };
            own.register(additions).map(|()| own)
        };
        attached.map(Attached).map_err(|error| refused(&error))
    }

    /// Registers competencies by hand, all of them or none.
    fn register_competencies(&self, definitions: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let competencies = definitions.iter().map(definition::competency).collect::<PyResult<_>>()?;
        let additions = Additions { competencies, ..Additions::default() };
        self.own.register(additions).map_err(|error| refused(&error))
    }

    /// Removes a competency; False if there is none. ValueError if another one builds on it.
    fn unregister_competency(&self, id: &str) -> PyResult<bool> {
        self.host.unregister_competency(id).map_err(|dependents| {
            let dependents: Vec<_> = dependents.iter().map(|id| format!("'{id}'")).collect();
            let dependents = dependents.join(", ");
            PyValueError::new_err(format!(
                "Cannot unregister '{id}': competencies [{dependents}] depend on it"
            ))
        })
    }

    fn clear_competencies(&self) {
        self.host.clear_competencies();
    }

    /// The ids of competencies in the order of registration: all, or those whose `category`, `level` or `plugin` is `key`.
    #[pyo3(signature = (by=None, key=""))]
    fn competencies(&self, by: Option<&str>, key: &str) -> PyResult<Vec<String>> {
        names(self.host.snapshot().competencies(), by, key)
    }

    /// A competency as data; None if there is none of this id.
    fn competency<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        data(py, self.host.snapshot().competencies().get(id))
    }

    fn prerequisites(&self, id: &str) -> Vec<String> {
        texts(self.host.snapshot().prerequisites(id))
    }

    fn all_prerequisites(&self, id: &str) -> Vec<String> {
        texts(self.host.snapshot().all_prerequisites(id))
    }

    fn dependents(&self, id: &str) -> Vec<String> {
        texts(self.host.snapshot().dependents(id))
    }

    fn learning_path(&self, id: &str) -> Vec<String> {
        texts(self.host.snapshot().learning_path(id))
    }

    /// Whether whoever holds `held` meets each of `required`. What is not registered is not held.
    fn holds(&self, held: Vec<String>, required: Vec<String>) -> bool {
        let snapshot = self.host.snapshot();
        let held: Vec<HeldCompetency> = held.iter().filter_map(|text| text.parse().ok()).collect();
        let reach = snapshot.reach(&held);
        required.iter().all(|text| {
            text.parse().is_ok_and(|required: Requirement| {
                snapshot.competencies().get(required.id.as_str()).is_some() && reach.satisfies(&required)
            })
        })
    }

    /// Registers file handlers by hand, all of them or none.
    fn register_file_handlers(&self, definitions: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let file_handlers = definitions.iter().map(definition::file_handler).collect::<PyResult<_>>()?;
        let additions = Additions { file_handlers, ..Additions::default() };
        self.own.register(additions).map_err(|error| refused(&error))
    }

    /// Removes a file handler; False if there is none.
    fn unregister_file_handler(&self, name: &str) -> bool {
        self.host.unregister_file_handler(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.visit(&visit)
    }

    fn __clear__(&self) {
        self.host.clear_tools();
    }

    fn clear_file_handlers(&self) {
        self.host.clear_file_handlers();
    }

    /// The names of file handlers in the order of registration: all, or those whose `extension`, `media_type` or `plugin` is
    /// `key`.
    #[pyo3(signature = (by=None, key=""))]
    fn file_handlers(&self, by: Option<&str>, key: &str) -> PyResult<Vec<String>> {
        names(self.host.snapshot().file_handlers(), by, key)
    }

    /// A file handler as data; None if there is none of this name.
    fn file_handler<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        data(py, self.host.snapshot().file_handlers().get(name))
    }
}

impl Host {
    /// Visits what is kept with the tools. Each is visited once, whoever shows the tools.
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.host.snapshot().tools().list().iter().filter_map(|tool| kept(tool)).try_for_each(|kept| {
            visit.call(&kept.definition)?;
            kept.function.as_ref().map_or(Ok(()), |function| visit.call(&function.callable))
        })
    }

    /// Registers a tool by hand.
    pub(crate) fn register_tool(&self, definition: &Bound<'_, PyAny>) -> PyResult<()> {
        let (tool, kept) = definition::tool(definition)?;
        let tools = vec![(tool, Box::new(kept) as Handle)];
        self.own.register(Additions { tools, ..Additions::default() }).map_err(|error| refused(&error))
    }
}

/// A plugin of this process whose contributions are registered.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct Attached(InProcess);

#[pymethods]
impl Attached {
    /// Offers its tools to agents.
    fn enabled(&self) -> PyResult<()> {
        self.0.enabled().map_err(|error| refused(&error))
    }

    /// Refuses calls of its tools from now on.
    fn disabled(&self) -> PyResult<()> {
        self.0.disabled().map_err(|error| refused(&error))
    }

    /// Removes all that it contributed. ValueError if another plugin needs it.
    fn detach(&self) -> PyResult<()> {
        self.0.detach().map_err(|error| refused(&error))
    }
}

/// A call of this process may take as long as whoever makes it likes; what runs apart has the time that it has on a server.
fn limits() -> Limits {
    Limits { max_timeout: UNLIMITED, ..Limits::default() }
}

/// What the program keeps with a tool, if this package registered it or has shown it already.
pub(crate) fn kept(tool: &gathering::Tool) -> Option<&Kept> {
    tool.handle()?.downcast_ref()
}

/// The documents' exceptions for what cannot be registered.
fn refused(error: &PluginError) -> PyErr {
    PyValueError::new_err(match error {
        PluginError::AlreadyRegistered {
            kind: kind @ ("tool" | "competency" | "file handler"),
            name,
            ..
        } => {
            let kind = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
            format!("{kind} '{name}' already registered. Use unregister() first to replace it.")
        }
        PluginError::AlreadyRegistered { kind: "plugin", name, .. } => {
            format!("Plugin '{name}' already loaded")
        }
        PluginError::HasDependents { id, dependents, .. } => {
            let dependents: Vec<_> = dependents.iter().map(|id| format!("'{id}'")).collect();
            format!("Cannot unload plugin '{id}': plugins [{}] depend on it", dependents.join(", "))
        }
        PluginError::InvalidPlugin { reason, .. } => reason.clone(),
        error => error.to_string(),
    })
}

fn names<D: gathering::Definition>(table: &Table<D>, by: Option<&str>, key: &str) -> PyResult<Vec<String>> {
    let index = match by {
        None => return Ok(table.list().iter().map(|item| item.name().to_owned()).collect()),
        Some("category") => Index::Category,
        Some("level") => Index::Level,
        Some("plugin") => Index::Plugin,
        Some("extension") => Index::Extension,
        Some("media_type") => Index::MediaType,
        Some(other) => return Err(PyValueError::new_err(format!("nothing is found by {other}"))),
    };
    Ok(table.list_by(index, key).iter().map(|item| item.name().to_owned()).collect())
}

fn texts<T: ToString>(items: Vec<T>) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn data<'py, D: Serialize>(py: Python<'py>, item: Option<&Arc<D>>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(item) = item else { return Ok(None) };
    let value = serde_json::to_value(&**item).map_err(|error| PyValueError::new_err(error.to_string()))?;
    to_python(py, &value).map(Some)
}
