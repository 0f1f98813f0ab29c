//! A call and what travels with it: who calls, until when, and what the plugin may ask of the host.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    AgentRights, Asked, Asking, AskingRefused, Authoring, AuthoringRefused, BoxFuture, Evaluated, Evaluation,
    EvaluationError, FileOperation, Instructions, InstructionsError, PluginId, ToolDefinition, ToolError,
    ToolName, ToolOutput, names::OPERATOR,
};

/// A tool and its arguments, checked and with defaults filled in.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The tool.
    pub tool: ToolName,
    /// Its arguments by name.
    pub arguments: Map<String, Value>,
}

/// Who calls. Nothing below the doors learns it from anywhere else.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Whoever runs this GatheRing: may do everything.
    Operator,
    /// An agent, with what it may do.
    Agent(Arc<AgentRights>),
}

impl Caller {
    /// `operator`, or the agent's id, which is never that.
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => OPERATOR,
            Self::Agent(rights) => rights.id.as_str(),
        }
    }

    /// This caller, with no right that `bound` does not have.
    pub fn bounded_by(&self, bound: &Arc<AgentRights>) -> Self {
        match self {
            Self::Operator => Self::Agent(bound.clone()),
            Self::Agent(rights) if rights.are_within(&bound.id) => self.clone(),
            Self::Agent(rights) => Self::Agent(rights.bounded_by(bound)),
        }
    }
}

/// Names one call. Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(pub u128);

/// Names everything that one request caused (W3C Trace Context, `trace-id`). Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub u128);

macro_rules! hexadecimal {
    ($($name:ident),*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    )* };
}
hexadecimal!(CallId, TraceId);

/// What travels with a call. Cloning is cheap; a clone is the same context.
#[derive(Clone)]
pub struct CallContext(Arc<Inner>);

struct Inner {
    call_id: CallId,
    trace_id: TraceId,
    caller: Caller,
    plugin: PluginId,
    instance: u64,
    deadline: Instant,
    branch: u64,
    parent: Option<CallContext>,
    services: Arc<dyn HostServices>,
}

impl CallContext {
    /// The context of a call into `plugin`, of which the generation `instance` runs. With a `parent` it is a nested
    /// call: the same trace, the same caller.
    #[expect(clippy::too_many_arguments, reason = "made in one place, where each of them is at hand")]
    pub fn new(
        call_id: CallId,
        trace_id: TraceId,
        caller: Caller,
        plugin: PluginId,
        instance: u64,
        deadline: Instant,
        parent: Option<CallContext>,
        services: Arc<dyn HostServices>,
    ) -> Self {
        let branch = 0;
        Self(Arc::new(Inner {
            call_id,
            trace_id,
            caller,
            plugin,
            instance,
            deadline,
            branch,
            parent,
            services,
        }))
    }

    /// The same call, marked with a number of its runtime's own for one of the nested calls that it makes. A runtime
    /// whose plugins make several at once tells by it from which of them a call has come back to it.
    pub fn on_branch(&self, branch: u64) -> Self {
        let Inner { call_id, trace_id, caller, plugin, instance, deadline, parent, services, .. } = &*self.0;
        Self(Arc::new(Inner {
            call_id: *call_id,
            trace_id: *trace_id,
            caller: caller.clone(),
            plugin: plugin.clone(),
            instance: *instance,
            deadline: *deadline,
            branch,
            parent: parent.clone(),
            services: services.clone(),
        }))
    }

    /// This call.
    pub fn call_id(&self) -> CallId {
        self.0.call_id
    }
    /// What it belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.0.trace_id
    }
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }
    /// The plugin that is called.
    pub fn plugin(&self) -> &PluginId {
        &self.0.plugin
    }
    /// Which generation of the plugin runs the call: it has another number after each load and reload. A context
    /// further up the chain with the same plugin and instance holds the permit that this call runs under.
    pub fn instance(&self) -> u64 {
        self.0.instance
    }
    /// When the call is stopped.
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }
    /// What [`CallContext::on_branch`] marked it with; 0 if nothing did.
    pub fn branch(&self) -> u64 {
        self.0.branch
    }
    /// The call from within which this one was made.
    pub fn parent(&self) -> Option<&CallContext> {
        self.0.parent.as_ref()
    }
    /// This call and those it is nested in, innermost first.
    pub fn chain(&self) -> impl Iterator<Item = &CallContext> {
        std::iter::successors(Some(self), |cx| cx.parent())
    }
    /// What the plugin may ask of the host, as this call's caller.
    pub fn services(&self) -> &dyn HostServices {
        &*self.0.services
    }
}

/// What a plugin may ask of the host while it serves a call. Every use passes the gate as the call's own caller.
pub trait HostServices: Send + Sync {
    /// Calls another tool, inside the deadline of `cx`.
    fn call_tool<'a>(
        &'a self,
        cx: &'a CallContext,
        tool: &'a str,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>>;

    /// The tool of this name, if the caller of `cx` may call it.
    fn find_tool(&self, cx: &CallContext, tool: &str) -> Option<Arc<ToolDefinition>>;

    /// The tool that does this to files that are called like `path`, if a file handler has one. Whether the caller may call
    /// it, the call will say.
    fn file_tool(&self, path: &str, operation: FileOperation) -> Option<ToolName>;

    /// The tools that the caller of `cx` may call, in the order of registration.
    fn list_tools(&self, cx: &CallContext) -> Vec<Arc<ToolDefinition>>;

    /// The tools that the caller of `cx` may call and that `query` is about, best first, at most `limit`. May take a second,
    /// when it is the first since many tools were registered.
    fn search_tools(&self, cx: &CallContext, query: &str, limit: usize) -> Vec<Arc<ToolDefinition>>;

    /// The instructions of a competency that the caller of `cx` holds, or the text of a file beside them. Reads files.
    fn instructions(
        &self,
        cx: &CallContext,
        competency: &str,
        file: Option<&str>,
    ) -> Result<Instructions, InstructionsError>;

    /// Makes, changes or removes a plugin that is made of code, as the caller of `cx`. Gives what is known of it then.
    fn author<'a>(
        &'a self,
        cx: &'a CallContext,
        wanted: Authoring,
    ) -> BoxFuture<'a, Result<Value, AuthoringRefused>>;

    /// Runs a piece of Python in a confined interpreter of its own.
    fn evaluate<'a>(
        &'a self,
        cx: &'a CallContext,
        evaluation: Evaluation,
    ) -> BoxFuture<'a, Result<Evaluated, EvaluationError>>;

    /// Asks a language model, within the limits of the caller of `cx`.
    fn ask_model<'a>(
        &'a self,
        cx: &'a CallContext,
        asking: Asking,
    ) -> BoxFuture<'a, Result<Asked, AskingRefused>>;
}

/// How what runs a plugin is confined. Named in every result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Code of this program, in its own process.
    Native,
    /// A process of its own with namespaces, Landlock, seccomp and limits.
    Isolated,
    /// A process of its own with Landlock, seccomp and limits.
    Confined,
    /// A process of its own with all the rights of the user who started the server.
    Unconfined,
}

impl Tier {
    /// The tier's word, such as `isolated`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Isolated => "isolated",
            Self::Confined => "confined",
            Self::Unconfined => "unconfined",
        }
    }
}
