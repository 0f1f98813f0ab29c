//! Reloading: a new generation starts beside the old one and takes over at once; no call is lost.

use std::sync::Arc;
use std::time::Duration;

use gathering_core::{Change, HealthStatus, PluginId, PluginStatus};
use serde_json::Value;

use super::load::Started;
use super::within;
use crate::dependency;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::Inner;
use crate::instance::Instance;
use crate::snapshot::Snapshot;

impl Inner {
    pub(super) async fn reload(self: Arc<Self>, id: &str, config: Option<Value>) -> Result<(), PluginError> {
        let id = self.registered(id)?.id.clone();
        let _operation = self.operate(id.as_str()).await;
        let old = self.registered(id.as_str())?;
        let reloaded = async {
            let started = self.start(&old, config).await?;
            self.take_over(&id, old.status, started).await
        }
        .await;
        if let Err(error) = reloaded {
            self.fail(&id, &error).await;
            return Err(error);
        }
        self.tell_lapsed(&id, &old.allowed, &self.entry(id.as_str())?.allowed);
        self.publish_event(EventKind::PluginReloaded { plugin_id: id });
        let old = old.instance.clone().expect("a registered plugin has an instance");
        // Calls in flight keep the time they were given; whoever reloads does not wait for them.
        let (grace, unload) = (self.limits.max_timeout, self.limits.hook_timeout);
        tokio::spawn(async move { old.retire(grace, unload).await });
        Ok(())
    }

    async fn take_over(
        &self,
        id: &PluginId,
        status: PluginStatus,
        started: Started,
    ) -> Result<(), PluginError> {
        let Started { mut entry, contributions } = started;
        let new = entry.instance.clone().expect("a started entry has an instance");
        let taken = async {
            self.probe(&new).await?;
            if status == PluginStatus::Enabled {
                self.run_on_enable(&new).await?;
            }
            new.set_status(status);
            entry.status = status;
            self.change(move |next, changes| {
                dependency::check(next, &entry.manifest)?;
                next.add_contributions(id, contributions)?;
                changes.push(Change::SavePlugin(Box::new(entry.record())));
                next.plugins.put(Arc::new(entry));
                check_dependents(next, id)
            })
            .await
        }
        .await;
        if taken.is_err() {
            new.retire(Duration::ZERO, self.limits.hook_timeout).await;
        }
        taken
    }

    async fn probe(&self, instance: &Arc<Instance>) -> Result<(), PluginError> {
        let Some(plugin) = instance.started() else { return Ok(()) };
        let limit = self.limits.health_timeout;
        let reason = match within(limit, plugin.health()).await {
            Some(health) if health.status != HealthStatus::Unhealthy => return Ok(()),
            Some(mut health) => {
                instance.secrets().redact_map(&mut health.details);
                Value::Object(health.details).to_string()
            }
            None => format!("its health check did not end within {limit:?}"),
        };
        Err(PluginError::Unhealthy { id: instance.id.clone(), reason })
    }
}

/// Whoever needs the plugin must be able to go on with its new generation.
fn check_dependents(next: &Snapshot, id: &PluginId) -> Result<(), PluginError> {
    for dependent in dependency::dependents(next, id) {
        if let Some(entry) = next.plugins.get(dependent.as_str()) {
            dependency::check(next, &entry.manifest)?;
        }
    }
    for competency in next.competencies.list().iter() {
        if let Some(missing) =
            competency.prerequisites.iter().find(|p| next.competencies.get(p.as_str()).is_none())
        {
            let reason = format!(
                "the competency `{}` builds on `{missing}`, which it no longer brings",
                competency.id
            );
            return Err(PluginError::InvalidPlugin { id: id.clone(), reason });
        }
    }
    Ok(())
}
