//! Enabling, disabling and unloading.

use std::sync::Arc;

use gathering_core::{Change, PluginId, PluginStatus};

use super::within;
use crate::dependency;
use crate::entry::Entry;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::Inner;
use crate::instance::Instance;

impl Inner {
    pub(super) async fn enable(self: Arc<Self>, id: &str) -> Result<Vec<PluginId>, PluginError> {
        let entry = self.registered(id)?;
        let order = self.enable_order(&entry)?;
        let mut enabled = Vec::new();
        for next in order {
            if self.enable_one(&next).await? {
                enabled.push(next);
            }
        }
        Ok(enabled)
    }

    /// The plugins to enable so that `entry` can be, itself as the last. One that its operator disabled stays so.
    fn enable_order(&self, entry: &Entry) -> Result<Vec<PluginId>, PluginError> {
        let snapshot = self.snapshot.load();
        let mut order = vec![entry.id.clone()];
        let mut at = 0;
        while let Some(id) = order.get(at).cloned() {
            at += 1;
            let Some(current) = snapshot.plugins.get(id.as_str()) else { continue };
            for dependency in dependency::dependencies(&current.manifest)? {
                let Some(needed) = snapshot.plugins.get_ignoring_case(dependency.id.as_str()) else {
                    continue;
                };
                match needed.status {
                    PluginStatus::Enabled => {}
                    PluginStatus::Disabled => {
                        return Err(PluginError::WrongState {
                            id: needed.id.clone(),
                            status: needed.status,
                            expected: format!("`{id}` needs it, so enable `{}` first", needed.id),
                        });
                    }
                    _ => {
                        order.retain(|held| *held != needed.id);
                        order.push(needed.id.clone());
                        at = at.min(order.len() - 1);
                    }
                }
            }
        }
        order.reverse();
        Ok(order)
    }

    /// True if it was not enabled before.
    async fn enable_one(&self, id: &PluginId) -> Result<bool, PluginError> {
        let _operation = self.operate(id.as_str()).await;
        let entry = self.registered(id.as_str())?;
        if entry.status == PluginStatus::Enabled {
            return Ok(false);
        }
        let instance = entry.instance.clone().expect("a registered plugin has an instance");
        if let Err(error) = self.start_and_enable(&instance).await {
            self.fail(id, &error).await;
            return Err(error);
        }
        self.set_status(id, &instance, PluginStatus::Enabled).await?;
        self.publish_event(EventKind::PluginEnabled { plugin_id: id.clone() });
        Ok(true)
    }

    async fn start_and_enable(&self, instance: &Arc<Instance>) -> Result<(), PluginError> {
        instance
            .start(self.limits.load_timeout, self.progress(&instance.id))
            .await
            .map_err(|error| PluginError::Load { id: instance.id.clone(), error })?;
        self.run_on_enable(instance).await
    }

    pub(super) async fn run_on_enable(&self, instance: &Arc<Instance>) -> Result<(), PluginError> {
        let Some(plugin) = instance.started() else { return Ok(()) };
        let limit = self.limits.hook_timeout;
        let message = match within(limit, plugin.on_enable()).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => instance.secrets().redact_text(&error.message).into_owned(),
            None => format!("it did not end within {limit:?}"),
        };
        Err(PluginError::Hook { id: instance.id.clone(), hook: "on_enable", message })
    }

    pub(super) async fn disable(
        self: Arc<Self>,
        id: &str,
        cascade: bool,
    ) -> Result<Vec<PluginId>, PluginError> {
        let entry = self.registered(id)?;
        let snapshot = self.snapshot.load_full();
        let enabled = |id: &PluginId| {
            snapshot.plugins.get(id.as_str()).is_some_and(|entry| entry.status == PluginStatus::Enabled)
        };
        let dependents: Vec<_> =
            dependency::dependents(&snapshot, &entry.id).into_iter().filter(enabled).collect();
        let order = cascading(&entry.id, dependents, cascade, "disable")?;
        let mut disabled = Vec::new();
        for next in order {
            if self.disable_one(&next).await? {
                disabled.push(next);
            }
        }
        Ok(disabled)
    }

    /// True if it was not disabled before. New calls are refused before `on_disable` runs.
    async fn disable_one(&self, id: &PluginId) -> Result<bool, PluginError> {
        let _operation = self.operate(id.as_str()).await;
        let entry = self.registered(id.as_str())?;
        if entry.status == PluginStatus::Disabled {
            return Ok(false);
        }
        let instance = entry.instance.clone().expect("a registered plugin has an instance");
        self.set_status(id, &instance, PluginStatus::Disabled).await?;
        if entry.status == PluginStatus::Enabled
            && let Some(plugin) = instance.started()
        {
            let limit = self.limits.hook_timeout;
            let message = match within(limit, plugin.on_disable()).await {
                Some(Ok(())) => None,
                Some(Err(error)) => Some(instance.secrets().redact_text(&error.message).into_owned()),
                None => Some(format!("it did not end within {limit:?}")),
            };
            if let Some(message) = message {
                let error = PluginError::Hook { id: id.clone(), hook: "on_disable", message };
                self.fail(id, &error).await;
            }
        }
        self.publish_event(EventKind::PluginDisabled { plugin_id: id.clone() });
        Ok(true)
    }

    pub(super) async fn unload(
        self: Arc<Self>,
        id: &str,
        cascade: bool,
    ) -> Result<Vec<PluginId>, PluginError> {
        let entry = self.registered(id)?;
        let dependents = dependency::dependents(&self.snapshot.load(), &entry.id);
        let order = cascading(&entry.id, dependents, cascade, "unload")?;
        for next in &order {
            self.unload_one(next).await?;
        }
        Ok(order)
    }

    async fn unload_one(&self, id: &PluginId) -> Result<(), PluginError> {
        let _operation = self.operate(id.as_str()).await;
        let entry = self.registered(id.as_str())?;
        let instance = entry.instance.clone().expect("a registered plugin has an instance");
        self.change(|next, changes| {
            // Somebody may have come to need it since the order was made.
            let dependents = dependency::dependents(next, id);
            if !dependents.is_empty() {
                return Err(PluginError::HasDependents { id: id.clone(), dependents, action: "unload" });
            }
            next.remove_contributions(id);
            let unloaded =
                Entry { status: PluginStatus::Unloaded, error: None, instance: None, ..(*entry).clone() };
            changes.push(Change::SavePlugin(Box::new(unloaded.record())));
            next.plugins.put(Arc::new(unloaded));
            Ok(())
        })
        .await?;
        instance.retire(self.limits.unload_grace, self.limits.hook_timeout).await;
        self.publish_event(EventKind::PluginUnloaded { plugin_id: id.clone() });
        Ok(())
    }

    /// The plugin, if its contributions are registered.
    pub(super) fn registered(&self, id: &str) -> Result<Arc<Entry>, PluginError> {
        let entry = self.entry(id)?;
        if entry.is_registered() {
            return Ok(entry);
        }
        let expected = format!("Plugin '{id}' is not loaded; load it first");
        Err(PluginError::WrongState { id: entry.id.clone(), status: entry.status, expected })
    }

    async fn set_status(
        &self,
        id: &PluginId,
        instance: &Arc<Instance>,
        status: PluginStatus,
    ) -> Result<(), PluginError> {
        let saved = self
            .update(id, |entry| {
                entry.status = status;
                entry.error = None;
                Ok(())
            })
            .await;
        if saved.is_ok() {
            instance.set_status(status);
        }
        saved
    }
}

/// `id` after its dependents if they may go along, or the refusal that names them.
fn cascading(
    id: &PluginId,
    mut dependents: Vec<PluginId>,
    cascade: bool,
    action: &'static str,
) -> Result<Vec<PluginId>, PluginError> {
    if !dependents.is_empty() && !cascade {
        return Err(PluginError::HasDependents { id: id.clone(), dependents, action });
    }
    dependents.push(id.clone());
    Ok(dependents)
}
