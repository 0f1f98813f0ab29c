//! A call of a function of this process: who makes it, what comes before and after it, and what its tool is told of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gathering::{
    Admitted, AgentRights, ArgumentError, By, CallContext, CallOptions, Caller, Host, Tool, ToolError,
    WeakHost,
};
use pyo3::exceptions::{PyException, PyPermissionError, PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::admit::check_result;
use crate::definition::Function;
use crate::host::kept;

/// How many calls are running that others can be made within. While there is none, nobody need look for one.
static WITHIN: AtomicUsize = AtomicUsize::new(0);

/// Who makes a call.
#[derive(Clone)]
pub(crate) enum Who {
    /// Whoever runs this process.
    Operator,
    /// An agent.
    Agent(Arc<AgentRights>),
    /// Whoever made this call, from within which it comes.
    Within(CallContext),
}

impl Who {
    /// Whether nobody within the call of `function` has to know who makes it: the operator, as everybody is who is within
    /// no other call.
    pub(crate) fn is_unknown_to(&self, function: &Function) -> bool {
        matches!(self, Self::Operator) && !function.wants_context
    }

    /// Who calls `host` from where Python is now: from within a call, that one's caller; else the operator.
    pub(crate) fn here(py: Python<'_>, host: &Host) -> PyResult<Self> {
        if WITHIN.load(Ordering::Acquire) == 0 {
            return Ok(Self::Operator);
        }
        let context = py.import(intern!(py, "gathering._process.context"))?;
        let current = context.getattr(intern!(py, "current"))?.call_method0(intern!(py, "get"))?;
        Ok(match current.cast::<Call>() {
            Ok(call) => call.get().as_caller_of(host),
            Err(_none) => Self::Operator,
        })
    }
}

/// Steps 1 to 4 for a call by `who`; `check` looks at the arguments as the objects that they are. None if the tool is no
/// function of this process.
pub(crate) fn admit(
    py: Python<'_>,
    host: &Host,
    who: &Who,
    name: &str,
    timeout: Duration,
    mut check: impl FnMut(&Tool, &Function) -> PyResult<()>,
) -> PyResult<Option<Admitted>> {
    let (mut is_hosted, mut refused) = (false, None);
    let look = |tool: &Tool| {
        let checked = match kept(tool).and_then(|kept| kept.function.as_ref()) {
            Some(function) => check(tool, function),
            None => {
                is_hosted = true;
                return Err(ToolError::ShuttingDown);
            }
        };
        // Why it was refused is told as Python's own exception, below.
        checked.map_err(|error| {
            refused = Some(error);
            ToolError::ShuttingDown
        })
    };
    let options = CallOptions { timeout: Some(timeout) };
    let by = match who {
        Who::Operator => By::Caller(Caller::Operator, options),
        Who::Agent(rights) => By::Caller(Caller::Agent(rights.clone()), options),
        Who::Within(cx) => By::Within(cx),
    };
    match host.admit_now(by, name, look) {
        Ok(admitted) => Ok(Some(admitted)),
        Err(_) if is_hosted => Ok(None),
        Err(error) => Err(refused.unwrap_or_else(|| not_admitted(py, name, &error))),
    }
}

/// Steps 6 and 7.
pub(crate) fn finish<'py>(
    py: Python<'py>,
    admitted: Admitted,
    result: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    match result {
        Ok(value) => {
            let finished = admitted.finish(Ok(()), |tool, ()| {
                check_result(tool, &value)
                    .map_err(|errors| ToolError::InvalidResult { tool: tool.name.clone(), errors })
            });
            finished.map(|()| value).map_err(|error| tool_error(py, &error))
        }
        Err(cause) => {
            let (tool, message) = (admitted.tool().name.clone(), cause.to_string());
            let error = ToolError::Failed { tool: tool.clone(), message, traceback: String::new() };
            // It is what `cause` says, which is told as it is.
            let _ = admitted.finish(Err::<(), _>(error), |_, ()| Ok(()));
            Err(failed(py, tool.as_str(), cause))
        }
    }
}

/// A call that Python runs by itself, in its own time.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct Running {
    admitted: Mutex<Option<Admitted>>,
    call: Option<Py<Call>>,
    #[pyo3(get)]
    function: Py<PyAny>,
    #[pyo3(get)]
    is_async: bool,
    #[pyo3(get)]
    wants_context: bool,
    #[pyo3(get)]
    arguments: Py<PyDict>,
}

#[pymethods]
impl Running {
    /// The call, if those that its tool makes have to know of it.
    #[getter]
    fn call(&self, py: Python<'_>) -> Option<Py<Call>> {
        self.call.as_ref().map(|call| call.clone_ref(py))
    }

    /// Returns `result` if it is what the tool promises.
    fn finish<'py>(&self, py: Python<'py>, result: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        finish(py, self.taken()?, Ok(result))
    }

    /// Tells that the tool raised `error`.
    fn fail(&self, py: Python<'_>, error: Bound<'_, PyAny>) -> PyResult<()> {
        let _ = finish(py, self.taken()?, Err(PyErr::from_value(error)));
        Ok(())
    }
}

impl Running {
    pub(crate) fn new(
        py: Python<'_>,
        host: &Host,
        who: &Who,
        admitted: Admitted,
        arguments: Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let tool = admitted.tool().clone();
        let function = kept(&tool).and_then(|kept| kept.function.as_ref()).expect("it was admitted as such");
        let call = if who.is_unknown_to(function) {
            None
        } else {
            Some(Py::new(py, Call::new(host, admitted.context(), tool.clone()))?)
        };
        Ok(Self {
            call,
            function: function.callable.clone_ref(py),
            is_async: function.is_async,
            wants_context: function.wants_context,
            arguments: arguments.unbind(),
            admitted: Mutex::new(Some(admitted)),
        })
    }

    fn taken(&self) -> PyResult<Admitted> {
        let taken = self.admitted.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| PyRuntimeError::new_err("the call is finished"))
    }
}

/// A call that others can be made within.
#[pyclass(frozen, module = "gathering._core")]
pub(crate) struct Call {
    host: WeakHost,
    cx: CallContext,
    tool: Arc<Tool>,
}

#[pymethods]
impl Call {
    /// Tells that the call runs: from now on those who call look whether they are within it.
    fn enter(&self) {
        WITHIN.fetch_add(1, Ordering::AcqRel);
    }

    /// Tells that it runs no more. Goes with `enter`.
    fn leave(&self) {
        WITHIN.fetch_sub(1, Ordering::AcqRel);
    }

    #[getter]
    fn call_id(&self) -> String {
        self.cx.call_id().to_string()
    }

    #[getter]
    fn trace_id(&self) -> String {
        self.cx.trace_id().to_string()
    }

    /// The agent that calls, with what it holds; None for the operator.
    #[getter]
    fn caller<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Caller::Agent(rights) = self.cx.caller() else { return Ok(None) };
        let held = PyList::empty(py);
        for competency in &rights.competencies {
            let one = PyDict::new(py);
            one.set_item("id", competency.id.as_str())?;
            one.set_item("level", competency.level.as_str())?;
            held.append(one)?;
        }
        let caller = PyDict::new(py);
        caller.set_item("id", rights.id.as_str())?;
        caller.set_item("competencies", held)?;
        Ok(Some(caller))
    }

    #[getter]
    fn tool(&self) -> &str {
        self.tool.name.as_str()
    }

    /// The plugin that the tool says it is of.
    #[getter]
    fn plugin_id(&self) -> Option<&str> {
        self.tool.plugin_id.as_ref().map(|id| id.as_str())
    }

    /// Seconds until it should have ended.
    #[getter]
    fn time_left(&self) -> f64 {
        self.cx.deadline().saturating_duration_since(Instant::now()).as_secs_f64()
    }

    /// Calls another tool from within this call.
    #[pyo3(signature = (tool_name, /, **arguments))]
    fn execute<'py>(
        &self,
        py: Python<'py>,
        tool_name: &str,
        arguments: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = arguments.unwrap_or_else(|| PyDict::new(py));
        crate::execute::execute(py, &self.host()?, &Who::Within(self.cx.clone()), tool_name, arguments)
    }

    /// What `execute_async` runs; None if the tool is no function of this process.
    fn _admit(
        &self,
        py: Python<'_>,
        tool_name: &str,
        arguments: Bound<'_, PyDict>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Running>> {
        crate::execute::running(
            py,
            &self.host()?,
            &Who::Within(self.cx.clone()),
            tool_name,
            arguments,
            timeout,
        )
    }
}

impl Call {
    pub(crate) fn new(host: &Host, cx: CallContext, tool: Arc<Tool>) -> Self {
        Self { host: host.downgrade(), cx, tool }
    }

    fn host(&self) -> PyResult<Host> {
        self.host.upgrade().ok_or_else(|| PyRuntimeError::new_err(ToolError::ShuttingDown.to_string()))
    }

    /// Whoever makes this call, as a caller of `host`: a call of another host is none that it knows.
    fn as_caller_of(&self, host: &Host) -> Who {
        if self.host.upgrade().is_some_and(|own| own.is(host)) {
            return Who::Within(self.cx.clone());
        }
        match self.cx.caller() {
            Caller::Operator => Who::Operator,
            Caller::Agent(rights) => Who::Agent(rights.clone()),
        }
    }
}

/// The documents' exception; what is no `Exception`, such as `KeyboardInterrupt`, passes as it is.
pub(crate) fn failed(py: Python<'_>, tool_name: &str, cause: PyErr) -> PyErr {
    if !cause.is_instance_of::<PyException>(py) {
        return cause;
    }
    let error = PyException::new_err(format!("Error executing tool '{tool_name}': {}", cause.value(py)));
    error.set_cause(py, Some(cause));
    error
}

/// The exception for a call that was not admitted.
pub(crate) fn not_admitted(py: Python<'_>, tool_name: &str, error: &ToolError) -> PyErr {
    match error {
        ToolError::UnknownTool { .. } => {
            PyValueError::new_err(format!("Tool '{tool_name}' not found in registry"))
        }
        error => tool_error(py, error),
    }
}

/// The exception for a call that gave no result; its attribute `code` is the word of REST for the same.
pub(crate) fn tool_error(py: Python<'_>, error: &ToolError) -> PyErr {
    let text = match error {
        // There is no command for agents of this process.
        ToolError::MissingCompetency { tool, agent, missing } => {
            let quote = |quote: &str| {
                let missing: Vec<_> = missing.iter().map(|one| format!("{quote}{one}{quote}")).collect();
                missing.join(", ")
            };
            let (missing, granted) = (quote("`"), quote("'"));
            format!(
                "`{tool}` requires {missing}, which the agent `{agent}` does not hold: its grant({granted}) grants it"
            )
        }
        error => error.to_string(),
    };
    let exception = match error {
        ToolError::InvalidArguments { .. } => PyValueError::new_err(text),
        ToolError::TimedOut { .. } => PyTimeoutError::new_err(text),
        ToolError::MissingCompetency { .. } | ToolError::Forbidden { .. } => PyPermissionError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    };
    match exception.value(py).setattr("code", error.code()) {
        Ok(()) => exception,
        Err(failure) => failure,
    }
}

/// What does not fit, as the only error.
pub(crate) fn one_error(message: String) -> Vec<ArgumentError> {
    vec![ArgumentError { pointer: String::new(), message }]
}
