//! Promoting a plugin that an agent made: it is the operator's from then on.

use std::sync::Arc;

use gathering_core::Caller;
use gathering_host::{AuthoringError, PluginInfo};

use super::Inner;

impl Inner {
    pub(super) async fn promote(
        self: Arc<Self>,
        caller: Caller,
        plugin: &str,
    ) -> Result<PluginInfo, AuthoringError> {
        if matches!(caller, Caller::Agent(_)) {
            let reason = "only the operator promotes plugins: their tools are for every agent then, and their code calls \
                          others with the rights of whoever calls it";
            return Err(AuthoringError::Forbidden(reason.to_owned()));
        }
        let _act = self.act(plugin).await;
        let id = self.dynamic(plugin)?;
        let of = id.clone();
        self.on_disk(move |files| {
            let Some(mut newest) = files.newest(&of)?.filter(|newest| newest.owner.is_some()) else {
                return Ok(());
            };
            newest.owner = None;
            files.complete(&of, &newest)
        })
        .await?;
        self.set_maker(&id, None);
        // What agents see is kept by generation, and others see it now.
        self.host.begin_generation().await?;
        Ok(self.host.plugin(id.as_str())?)
    }
}
