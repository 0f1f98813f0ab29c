//! Plugins that do not run in this interpreter: those built in, in Rust, and files in confined workers.

use std::path::PathBuf;

use gathering::config::Config;
use gathering::{
    CallOptions, Caller, DataDir, Dependencies, DynamicPlugin, Host, Index, LoadError, PluginError, PluginId,
    PluginManifest, PluginSource, ToolError,
};
use pyo3::exceptions::{PyImportError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;

use crate::admit::complete;
use crate::call::{Who, failed, not_admitted, tool_error};
use crate::json::{map_to_python, to_json, to_python};
use crate::name::plugin_id;
use crate::wait::wait;

/// A plugin that a host runs for this process.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct HostedPlugin {
    host: Host,
    id: PluginId,
}

#[pymethods]
impl HostedPlugin {
    /// Loads the built-in plugin `id` into `host`, or into a host of its own, but for the competencies `without` and the tools
    /// that require them. `launcher` is the program `gathering`, `data_dir` a folder for what it has to keep.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "called in one place, which has each of them at hand")]
    fn builtin(
        py: Python<'_>,
        host: Option<&crate::host::Host>,
        id: &str,
        config: &Bound<'_, PyDict>,
        without: Vec<String>,
        launcher: Option<PathBuf>,
        interpreter: PathBuf,
        data_dir: PathBuf,
    ) -> PyResult<Self> {
        let source = PluginSource::Builtin(plugin_id(id)?);
        let loaded = load(py, host, source, config, None, settings(launcher, interpreter), data_dir)?;
        for competency in &without {
            loaded.leave_out(competency);
        }
        Ok(loaded)
    }

    /// Loads the plugin file or package at `path` in confined workers that run `interpreter`. It may touch what it asks for
    /// and `permissions` allow.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "called in one place, which has each of them at hand")]
    fn file(
        py: Python<'_>,
        host: Option<&crate::host::Host>,
        path: PathBuf,
        config: &Bound<'_, PyDict>,
        permissions: &Bound<'_, PyDict>,
        launcher: Option<PathBuf>,
        interpreter: PathBuf,
        data_dir: PathBuf,
    ) -> PyResult<Self> {
        let (source, settings) = (PluginSource::Path(path), settings(launcher, interpreter));
        load(py, host, source, config, Some(permissions), settings, data_dir)
    }

    /// What the plugin says of itself and contributes, as plain data.
    fn manifest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.host.plugin(self.id.as_str()).map_err(|error| plugin_error(&error))?;
        let (snapshot, id) = (self.host.snapshot(), self.id.as_str());
        let tools = snapshot.tools().list_by(Index::Plugin, id);
        let data = serde_json::json!({
            "metadata": info.metadata,
            "tools": tools.iter().map(|tool| tool.definition().clone()).collect::<Vec<_>>(),
            "competencies": snapshot.competencies().list_by(Index::Plugin, id),
            "file_handlers": snapshot.file_handlers().list_by(Index::Plugin, id),
        });
        to_python(py, &data)
    }

    /// Calls a tool of the plugin.
    fn call<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outcome = ask(py, &self.host, &Who::here(py, &self.host)?, tool, arguments)?;
        outcome.map_err(|error| tool_error(py, &error)).and_then(|value| to_python(py, &value))
    }

    /// Runs the plugin's `on_enable`.
    fn enable(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.host.enable(self.id.as_str()))?.map(drop).map_err(|error| plugin_error(&error))
    }

    /// Runs the plugin's `on_disable`.
    fn disable(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.host.disable(self.id.as_str(), false))?.map(drop).map_err(|error| plugin_error(&error))
    }

    /// Stops the plugin and what runs it. ValueError if another plugin needs it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.host.forget(self.id.as_str(), false))?.map(drop).map_err(|error| plugin_error(&error))
    }

    /// How the plugin feels.
    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let health = wait(py, self.host.health(self.id.as_str()))?.map_err(|error| plugin_error(&error))?;
        let data =
            serde_json::to_value(health).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        to_python(py, &data)
    }
}

impl HostedPlugin {
    fn leave_out(&self, competency: &str) {
        let snapshot = self.host.snapshot();
        for tool in snapshot.tools().list_by(Index::Competency, competency).iter() {
            if *tool.plugin() == self.id {
                self.host.unregister_tool(tool.name.as_str());
            }
        }
        // One that others build on stays: it opens nothing then.
        let _ = self.host.unregister_competency(competency);
    }
}

/// Calls a tool that is no function of this process, as `who`. The documents' exceptions: what does not fit is a ValueError,
/// what came of the call the `__cause__` of an Exception.
pub(crate) fn call<'py>(
    py: Python<'py>,
    host: &Host,
    who: &Who,
    name: &str,
    arguments: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = match host.snapshot().tools().get(name).cloned() {
        Some(tool) => complete(py, &tool, arguments)?,
        None => arguments,
    };
    match ask(py, host, who, name, &arguments)? {
        Ok(value) => to_python(py, &value),
        Err(
            error @ (ToolError::UnknownTool { .. }
            | ToolError::PluginDisabled { .. }
            | ToolError::MissingCompetency { .. }
            | ToolError::Forbidden { .. }
            | ToolError::RateLimited { .. }),
        ) => Err(not_admitted(py, name, &error)),
        Err(error) => Err(failed(py, name, tool_error(py, &error))),
    }
}

fn ask(
    py: Python<'_>,
    host: &Host,
    who: &Who,
    name: &str,
    arguments: &Bound<'_, PyDict>,
) -> PyResult<Result<Value, ToolError>> {
    let Value::Object(arguments) = written(arguments)? else { unreachable!("a dict is an object") };
    let options = CallOptions::default();
    let call = async {
        match who {
            Who::Operator => host.execute(Caller::Operator, name, arguments, options).await.outcome,
            Who::Agent(rights) => {
                host.execute(Caller::Agent(rights.clone()), name, arguments, options).await.outcome
            }
            Who::Within(cx) => cx.services().call_tool(cx, name, arguments).await,
        }
    };
    Ok(wait(py, call)?.map(|output| output.value))
}

/// What a built-in plugin says of itself and contributes, as plain data.
#[pyfunction]
pub(crate) fn builtin_manifest<'py>(py: Python<'py>, id: &str) -> PyResult<Bound<'py, PyDict>> {
    let id = plugin_id(id)?;
    let manifest: PluginManifest = wait(py, gathering::builtin_manifest(&id))?
        .map_err(|error: LoadError| PyValueError::new_err(error.to_string()))?;
    match serde_json::to_value(manifest) {
        Ok(Value::Object(map)) => map_to_python(py, &map),
        _ => unreachable!("a manifest is written as an object"),
    }
}

/// The text of the plugin file for a plugin that is made of code.
#[pyfunction]
pub(crate) fn plugin_file(plugin: &Bound<'_, PyAny>, functions: Vec<String>) -> PyResult<String> {
    let plugin: DynamicPlugin =
        serde_json::from_value(written(plugin)?).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(gathering::plugin_file(&plugin, &functions))
}

fn load(
    py: Python<'_>,
    host: Option<&crate::host::Host>,
    source: PluginSource,
    config: &Bound<'_, PyDict>,
    permissions: Option<&Bound<'_, PyDict>>,
    settings: Config,
    data_dir: PathBuf,
) -> PyResult<HostedPlugin> {
    let config = written(config)?;
    let permissions = permissions.map(|permissions| written(permissions.as_any())).transpose()?;
    let permissions = permissions
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| PyValueError::new_err(format!("permissions: {error}")))?;
    let host = host.map_or_else(|| Host::builder().build(), |host| host.host.clone());
    gathering::equip(&host, &settings, &DataDir::new(data_dir));
    let loaded = wait(py, async {
        let id = host.add(source).await?;
        let loaded = async {
            if let Some(permissions) = permissions {
                host.grant(id.as_str(), permissions).await?;
            }
            host.load(id.as_str(), Some(config), Dependencies::MustBeLoaded).await
        };
        if let Err(error) = loaded.await {
            host.forget(id.as_str(), false).await?;
            return Err(error);
        }
        Ok(id)
    })?;
    let id = loaded.map_err(|error| plugin_error(&error))?;
    Ok(HostedPlugin { host, id })
}

fn settings(launcher: Option<PathBuf>, interpreter: PathBuf) -> Config {
    let mut config = Config::default();
    config.sandbox.launcher = launcher;
    config.python.interpreter = Some(interpreter);
    config
}

fn written(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    to_json(value).map_err(|no_form| PyValueError::new_err(format!("it has to be JSON, and {no_form}")))
}

fn plugin_error(error: &PluginError) -> PyErr {
    let text = error.to_string();
    match error {
        PluginError::InvalidConfig { .. }
        | PluginError::MissingDependency(_)
        | PluginError::HasDependents { .. } => PyValueError::new_err(text),
        PluginError::Load { error, .. } if error.kind == gathering::LoadErrorKind::MissingDependency => {
            PyImportError::new_err(text)
        }
        _ => PyRuntimeError::new_err(text),
    }
}
