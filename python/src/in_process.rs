//! Plugins of this process as the host calls them for others: for an agent's loop, or from within a plugin in a worker.
//!
//! What Python calls itself never comes here: it is run between `admit` and `finish`, with the objects that were given.

use std::sync::Arc;

use gathering::{
    ArgumentError, BoxFuture, CallContext, Plugin, PluginManifest, PluginStatus, Tool, ToolCall, ToolError,
    ToolOutput, WeakHost,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::host::kept;
use crate::json::map_to_python;

/// A plugin whose tools are functions of this process.
pub(crate) struct PythonPlugin {
    manifest: PluginManifest,
    host: WeakHost,
}

impl PythonPlugin {
    pub(crate) fn new(manifest: PluginManifest, host: &gathering::Host) -> Self {
        Self { manifest, host: host.downgrade() }
    }
}

impl Plugin for PythonPlugin {
    fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }

    /// The function runs in a thread of its own, which nobody can stop: one that is asynchronous is cancelled at the
    /// deadline, of any other only the result is lost.
    fn call<'a>(
        &'a self,
        call: ToolCall,
        cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let host = self.host.upgrade().ok_or(ToolError::ShuttingDown)?;
            let gone = || ToolError::WrongState {
                plugin: self.manifest.metadata.id.clone(),
                status: PluginStatus::Unloaded,
                reason: format!("`{}` was removed before the call began", call.tool),
            };
            let tool = host.snapshot().tools().get(call.tool.as_str()).cloned().ok_or_else(gone)?;
            let (name, limit) = (call.tool.clone(), host.limits().max_output);
            let cx = Call::new(&host, cx.clone(), tool.clone());
            let run = move || Python::attach(|py| serve(py, &tool, call.arguments, cx, limit));
            tokio::task::spawn_blocking(run).await.unwrap_or_else(|panic| {
                Err(ToolError::Failed { tool: name, message: panic.to_string(), traceback: String::new() })
            })
        })
    }

    fn concurrency(&self) -> usize {
        usize::MAX
    }
}

fn serve(
    py: Python<'_>,
    tool: &Arc<Tool>,
    arguments: Map<String, Value>,
    call: Call,
    limit: usize,
) -> Result<ToolOutput, ToolError> {
    let failed = |error: PyErr| ToolError::Failed {
        tool: tool.name.clone(),
        message: error.to_string(),
        traceback: String::new(),
    };
    let Some(function) = kept(tool).and_then(|kept| kept.function.as_ref()) else {
        return Err(ToolError::ShuttingDown);
    };
    let served = (|| {
        let serving = py.import("gathering._process.serving")?;
        let call = Bound::new(py, call)?;
        let arguments = map_to_python(py, &arguments)?;
        let served = serving.call_method1(
            "serve",
            (&function.callable, function.is_async, function.wants_context, arguments, call, limit),
        )?;
        served.extract::<(String, Bound<'_, PyAny>, String)>()
    })();
    let (code, said, more) = served.map_err(failed)?;
    match code.as_str() {
        "ok" => {
            let text = said.cast::<PyBytes>().map_err(|error| failed(error.into()))?.as_bytes();
            let value: Value = serde_json::from_slice(text).map_err(|error| {
                let errors = vec![ArgumentError { pointer: String::new(), message: error.to_string() }];
                ToolError::InvalidResult { tool: tool.name.clone(), errors }
            })?;
            Ok(value.into())
        }
        "output_limit" => Err(ToolError::OutputLimit { tool: tool.name.clone(), limit }),
        "invalid_result" => {
            let errors = vec![ArgumentError { pointer: more, message: said.to_string() }];
            Err(ToolError::InvalidResult { tool: tool.name.clone(), errors })
        }
        _ => Err(ToolError::Failed { tool: tool.name.clone(), message: said.to_string(), traceback: more }),
    }
}
