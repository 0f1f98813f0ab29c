//! Health checks: each has its time, and none spoils another's answer.

use gathering_core::{Health, HealthStatus};
use serde_json::{Map, Value, json};

use super::within;
use crate::entry::{Entry, PluginHealth};
use crate::error::PluginError;
use crate::host::Inner;

impl Inner {
    pub(super) async fn health(&self, id: &str) -> Result<PluginHealth, PluginError> {
        let entry = self.registered(id)?;
        Ok(self.health_of(&entry).await)
    }

    pub(super) async fn health_all(&self) -> Vec<PluginHealth> {
        let plugins = self.snapshot.load().plugins.list();
        let loaded = plugins.iter().filter(|entry| entry.is_registered());
        futures_util::future::join_all(loaded.map(|entry| self.health_of(entry))).await
    }

    async fn health_of(&self, entry: &Entry) -> PluginHealth {
        let running = entry.instance.as_ref().and_then(|instance| Some((instance, instance.started()?)));
        let health = match running {
            Some((instance, plugin)) => {
                let limit = self.limits.health_timeout;
                let mut health = within(limit, plugin.health())
                    .await
                    .unwrap_or_else(|| Health::unhealthy(format!("the check did not end within {limit:?}")));
                instance.secrets().redact_map(&mut health.details);
                health
            }
            None => {
                let details = Map::from_iter([
                    ("started".to_owned(), json!(false)),
                    ("note".to_owned(), json!("not started yet; its first call starts it")),
                ]);
                Health { status: HealthStatus::Healthy, details }
            }
        };
        let said = health.details.get("error").and_then(Value::as_str).map(str::to_owned);
        PluginHealth {
            plugin_id: entry.id.clone(),
            status: health.status,
            plugin_status: entry.status,
            error: said.or_else(|| entry.error.clone()),
            details: health.details,
        }
    }
}
