//! Plugins that do not run in this interpreter: those built in, in Rust, and files in confined workers.

use std::path::PathBuf;
use std::time::Duration;

use gathering::config::Config;
use gathering::{
    CallOptions, Caller, DataDir, Dependencies, DynamicPlugin, Host, LoadError, PluginError, PluginId,
    PluginManifest, PluginSource, ToolError,
};
use pyo3::exceptions::{PyImportError, PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;

use crate::json::{map_to_python, to_json, to_python};
use crate::wait::wait;

/// A plugin that a host of its own runs.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct HostedPlugin {
    host: Host,
    id: PluginId,
}

#[pymethods]
impl HostedPlugin {
    /// Loads the built-in plugin `id`. `launcher` is the program `gathering`, `data_dir` a folder for what it has to keep.
    #[staticmethod]
    fn builtin(
        py: Python<'_>,
        id: &str,
        config: &Bound<'_, PyDict>,
        launcher: Option<PathBuf>,
        data_dir: PathBuf,
    ) -> PyResult<Self> {
        let id = plugin_id(id)?;
        load(py, PluginSource::Builtin(id), config, None, &settings(launcher, None), data_dir)
    }

    /// Loads the plugin file or package at `path` in confined workers that run `interpreter`. It may touch what it asks for
    /// and `permissions` allow.
    #[staticmethod]
    fn file(
        py: Python<'_>,
        path: PathBuf,
        config: &Bound<'_, PyDict>,
        permissions: &Bound<'_, PyDict>,
        launcher: Option<PathBuf>,
        interpreter: PathBuf,
        data_dir: PathBuf,
    ) -> PyResult<Self> {
        let settings = settings(launcher, Some(interpreter));
        load(py, PluginSource::Path(path), config, Some(permissions), &settings, data_dir)
    }

    /// What the plugin says of itself and contributes, as plain data.
    fn manifest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.host.plugin(self.id.as_str()).map_err(|error| plugin_error(&error))?;
        let snapshot = self.host.snapshot();
        let data = serde_json::json!({
            "metadata": info.metadata,
            "tools": snapshot.tools().list().iter().map(|tool| tool.definition().clone()).collect::<Vec<_>>(),
            "competencies": snapshot.competencies().list(),
            "file_handlers": snapshot.file_handlers().list(),
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
        let arguments = match written(arguments)? {
            Value::Object(map) => map,
            _ => unreachable!("a dict is an object"),
        };
        let call = self.host.execute(Caller::Operator, tool, arguments, CallOptions::default());
        match wait(py, call)?.outcome {
            Ok(output) => to_python(py, &output.value),
            Err(error) => Err(tool_error(py, &error)),
        }
    }

    /// Runs the plugin's `on_enable`.
    fn enable(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.host.enable(self.id.as_str()))?.map(drop).map_err(|error| plugin_error(&error))
    }

    /// Runs the plugin's `on_disable`.
    fn disable(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.host.disable(self.id.as_str(), false))?.map(drop).map_err(|error| plugin_error(&error))
    }

    /// Stops the plugin and what runs it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.host.shutdown(Duration::ZERO))
    }

    /// How the plugin feels.
    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let health = wait(py, self.host.health(self.id.as_str()))?.map_err(|error| plugin_error(&error))?;
        let data =
            serde_json::to_value(health).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        to_python(py, &data)
    }
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
    source: PluginSource,
    config: &Bound<'_, PyDict>,
    permissions: Option<&Bound<'_, PyDict>>,
    settings: &Config,
    data_dir: PathBuf,
) -> PyResult<HostedPlugin> {
    let config = written(config)?;
    let permissions = permissions.map(|permissions| written(permissions.as_any())).transpose()?;
    let permissions = permissions
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| PyValueError::new_err(format!("permissions: {error}")))?;
    let host = gathering::embedded(settings, &DataDir::new(data_dir));
    let loaded = wait(py, async {
        let id = host.add(source).await?;
        if let Some(permissions) = permissions {
            host.grant(id.as_str(), permissions).await?;
        }
        host.load(id.as_str(), Some(config), Dependencies::MustBeLoaded).await?;
        Ok(id)
    })?;
    let id = loaded.map_err(|error| plugin_error(&error))?;
    Ok(HostedPlugin { host, id })
}

fn settings(launcher: Option<PathBuf>, interpreter: Option<PathBuf>) -> Config {
    let mut config = Config::default();
    config.sandbox.launcher = launcher;
    config.python.interpreter = interpreter;
    config
}

fn written(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    to_json(value).map_err(|no_form| PyValueError::new_err(format!("it has to be JSON, and {no_form}")))
}

fn plugin_id(text: &str) -> PyResult<PluginId> {
    PluginId::new(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn plugin_error(error: &PluginError) -> PyErr {
    let text = error.to_string();
    match error {
        PluginError::InvalidConfig { .. } => PyValueError::new_err(text),
        PluginError::Load { error, .. } if error.kind == gathering::LoadErrorKind::MissingDependency => {
            PyImportError::new_err(text)
        }
        _ => PyRuntimeError::new_err(text),
    }
}

/// The exception for a call that gave no result; its attribute `code` is the word of REST for the same.
fn tool_error(py: Python<'_>, error: &ToolError) -> PyErr {
    let text = error.to_string();
    let exception = match error {
        ToolError::InvalidArguments { .. } => PyValueError::new_err(text),
        ToolError::TimedOut { .. } => PyTimeoutError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    };
    match exception.value(py).setattr("code", error.code()) {
        Ok(()) => exception,
        Err(failure) => failure,
    }
}
