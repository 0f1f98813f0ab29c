//! Manifests that a worker could send: each is refused or checked, and a checked one stays the same when written.
#![no_main]

use gathering_core::{PluginManifest, PluginMetadata};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = serde_json::from_slice::<PluginMetadata>(text);
    let Ok(manifest) = serde_json::from_slice::<PluginManifest>(text) else { return };
    let Ok(checked) = manifest.checked() else { return };
    assert!(checked.tools.iter().all(|tool| tool.plugin_id.as_ref() == Some(&checked.metadata.id)));

    let written = serde_json::to_vec(&checked).expect("a manifest has a form in JSON");
    let read: PluginManifest = serde_json::from_slice(&written).expect("what was written is read back");
    assert_eq!(read.checked().expect("what was checked is checked again"), checked);
});
