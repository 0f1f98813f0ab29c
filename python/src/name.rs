//! The rule that names keep.

use gathering::PluginId;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Refuses what is no plugin id, with the rule.
#[pyfunction]
pub(crate) fn check_plugin_id(id: &str) -> PyResult<()> {
    plugin_id(id).map(drop)
}

pub(crate) fn plugin_id(text: &str) -> PyResult<PluginId> {
    PluginId::new(text).map_err(|error| PyValueError::new_err(error.to_string()))
}
