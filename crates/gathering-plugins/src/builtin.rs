//! The list of the plugins that are part of GatheRing.

use std::path::PathBuf;
use std::sync::Arc;

use gathering_core::{LoadError, LoadErrorKind};
use gathering_sandbox::Prober;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Builtin;
use crate::worker::Workers;

/// What GatheRing itself keeps on disk. However a plugin is configured, its tools stay away from there.
#[derive(Debug, Clone, Default)]
pub struct OwnPlaces {
    /// What tools neither read, list nor write: the data directory, which holds the operator's token.
    pub private: Vec<PathBuf>,
    /// What tools do not write, commands included: the plugin folders, since what lies there is run.
    pub protected: Vec<PathBuf>,
}

impl OwnPlaces {
    /// Reads the configuration of a plugin whose tools open files, and keeps them away from here: the settings `private` and
    /// `protected`, as far as it has them, name these places too.
    pub(crate) fn configure<C: DeserializeOwned>(&self, config: &Value) -> Result<C, LoadError> {
        let mut config = config.clone();
        for (setting, places) in [("private", &self.private), ("protected", &self.protected)] {
            if let Some(Value::Array(named)) = config.get_mut(setting) {
                named.extend(places.iter().map(|place| place.display().to_string().into()));
            }
        }
        serde_json::from_value(config).map_err(|error| {
            LoadError::new(LoadErrorKind::InvalidPlugin, format!("its configuration: {error}"))
        })
    }
}

/// Every built-in plugin; one line each. `prober` knows how what their tools run is confined.
pub fn all(own: &OwnPlaces, prober: &Arc<Prober>) -> Vec<Builtin> {
    let workers = Workers::new(prober.clone());
    vec![
        crate::core::builtin(own.clone(), prober.clone(), workers.clone()),
        crate::documents::builtin(own.clone(), workers.clone()),
        crate::design::builtin(own.clone(), workers),
        crate::finance::builtin(own.clone()),
    ]
}
