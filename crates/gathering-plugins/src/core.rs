//! The plugin `core`: essential tools that are always there.

mod calculate;
mod competencies;

use gathering_core::PluginManifest;
use serde_json::json;

use crate::{Builtin, NativePlugin};

/// The plugin.
pub(crate) fn builtin() -> Builtin {
    Builtin::new(manifest(), |manifest, _config| {
        NativePlugin::new(manifest).tool("calculate", calculate::calculate).finish()
    })
}

fn manifest() -> PluginManifest {
    let manifest = json!({
        "metadata": {
            "id": "core",
            "name": "Core GatheRing Tools",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Essential tools: files, Git and arithmetic",
            "author": "GatheRing Team",
            "license": "MIT OR Apache-2.0",
            "tags": ["core", "files", "git", "mathematics"],
        },
        "tools": [calculate::definition()],
        "competencies": competencies::definitions(),
    });
    serde_json::from_value(manifest).expect("the manifest is part of the program, and a test reads it")
}
