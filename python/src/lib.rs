//! `gathering._core`: the registries and the call path of the Python package, in the user's own process.

mod admit;
mod agent;
mod call;
mod definition;
mod execute;
mod given;
mod host;
mod hosted;
mod in_process;
mod json;
mod name;
mod registry;
mod wait;

use pyo3::prelude::*;

/// The Rust core of GatheRing.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::admit::complete_config;
    #[pymodule_export]
    use crate::agent::Agent;
    #[pymodule_export]
    use crate::call::{Call, Running};
    #[pymodule_export]
    use crate::host::{Attached, Host};
    #[pymodule_export]
    use crate::hosted::{HostedPlugin, builtin_manifest, plugin_file};
    #[pymodule_export]
    use crate::json::parameters_schema;
    #[pymodule_export]
    use crate::name::check_plugin_id;
    #[pymodule_export]
    use crate::registry::ToolRegistry;

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::execute::install(module.py())?;
        module.add("__version__", gathering::VERSION)
    }
}
