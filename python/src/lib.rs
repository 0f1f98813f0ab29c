//! `gathering._core`: the registries and the call path of the Python package, in the user's own process.

mod admit;
mod execute;
mod given;
mod hosted;
mod json;
mod registry;
mod tool;
mod wait;

use pyo3::prelude::*;

/// The Rust core of GatheRing.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::admit::complete_config;
    #[pymodule_export]
    use crate::hosted::{HostedPlugin, builtin_manifest, plugin_file};
    #[pymodule_export]
    use crate::json::parameters_schema;
    #[pymodule_export]
    use crate::registry::ToolRegistry;
    #[pymodule_export]
    use crate::tool::Gate;

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::execute::install(module.py())?;
        module.add("__version__", gathering::VERSION)
    }
}
