//! `ToolRegistry.execute` as the interpreter itself calls it: where the arguments fit as they are, they are handed on as they
//! came, and neither a tuple nor a dictionary is made.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Duration;

use gathering::{Admitted, Host, Look, Seen, Tool};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::admit::complete;
use crate::call::{Call, Running, Who, admit, finish};
use crate::definition::Function;
use crate::given::Given;
use crate::host::{UNLIMITED, kept};
use crate::hosted;
use crate::registry::ToolRegistry;

const DOC: &CStr = c"execute($self, tool_name, /, **arguments)
--

Calls a tool and returns what it returns.

The arguments are checked against the tool's schema and reach its function as the objects that they are. ValueError if there is
no such tool or the arguments do not fit, RuntimeError if it is asynchronous, if its plugin is disabled, or if it returns what it
does not promise; what the tool itself raises is the `__cause__` of an Exception.";

/// Makes `execute` a method of the class. What `#[pymethods]` makes of `**arguments` copies a dictionary in each call.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<ToolRegistry>();
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: c"execute".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: called },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: DOC.as_ptr(),
    }));
    // SAFETY: the class is one, and the definition lives as long as the process.
    let method =
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), definition))? };
    class.setattr("execute", method)
}

/// What the interpreter calls.
unsafe extern "C" fn called(
    registry: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this while it is held, with a live `registry`, `positional` values and as many more as
    // `names` has, which is a tuple or null; all of them live until this returns.
    let called = catch_unwind(AssertUnwindSafe(|| unsafe {
        let py = Python::assume_attached();
        let names =
            Bound::from_borrowed_ptr_or_opt(py, names).map(|names| names.cast_into_unchecked::<PyTuple>());
        let count = positional as usize + names.as_ref().map_or(0, |names| names.len());
        let values = if count == 0 { &[] } else { std::slice::from_raw_parts(arguments, count) };
        let registry = Bound::from_borrowed_ptr(py, registry);
        call(py, &registry, values, positional as usize, names).map_err(|error| error.restore(py))
    }));
    match called {
        Ok(Ok(result)) => result.into_ptr(),
        Ok(Err(())) => std::ptr::null_mut(),
        Err(_panic) => {
            // SAFETY: the interpreter is held, as above.
            let py = unsafe { Python::assume_attached() };
            PanicException::new_err("the Rust core failed; this is an error in it").restore(py);
            std::ptr::null_mut()
        }
    }
}

fn call<'py>(
    py: Python<'py>,
    registry: &Bound<'py, PyAny>,
    values: &[*mut ffi::PyObject],
    positional: usize,
    names: Option<Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    if positional != 1 {
        return Err(PyTypeError::new_err(format!(
            "execute() takes the tool's name, then arguments by name; {positional} were given without a name"
        )));
    }
    // SAFETY: the values are live objects.
    let tool_name = unsafe { Bound::from_borrowed_ptr(py, values[0]) };
    let tool_name = tool_name.cast::<PyString>()?.to_str()?;
    let host = registry.cast::<ToolRegistry>()?.get().host();
    let named = Named { py, names, values: &values[1..] };
    let who = Who::here(py, host)?;
    let (mut completed, vectorcall) = (None, vectorcall());
    let admitted = admit(py, host, &who, tool_name, UNLIMITED, |tool, function| {
        refuse_async(tool_name, function)?;
        let is_as_given = vectorcall.is_some() && named.fits(tool);
        completed = if is_as_given { None } else { Some(complete(py, tool, named.to_dict()?)?) };
        Ok(())
    })?;
    let Some(admitted) = admitted else {
        return hosted::call(py, host, &who, tool_name, named.to_dict()?);
    };
    let function = function_of(admitted.tool());
    let result = match (completed, vectorcall) {
        (None, Some(vectorcall)) if who.is_unknown_to(function) => named.hand_on(function, vectorcall),
        (completed, _) => {
            let arguments = completed.map_or_else(|| named.to_dict(), Ok);
            arguments.and_then(|arguments| run(py, host, &who, &admitted, function, arguments))
        }
    };
    finish(py, admitted, result)
}

/// Calls a tool as `who`, with arguments in a dictionary of our own.
pub(crate) fn execute<'py>(
    py: Python<'py>,
    host: &Host,
    who: &Who,
    tool_name: &str,
    arguments: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut completed = arguments.clone();
    let admitted = admit(py, host, who, tool_name, UNLIMITED, |tool, function| {
        refuse_async(tool_name, function)?;
        completed = complete(py, tool, arguments.clone())?;
        Ok(())
    })?;
    let Some(admitted) = admitted else { return hosted::call(py, host, who, tool_name, arguments) };
    let result = run(py, host, who, &admitted, function_of(admitted.tool()), completed);
    finish(py, admitted, result)
}

/// A call that Python is to run; None if the tool is no function of this process.
pub(crate) fn running(
    py: Python<'_>,
    host: &Host,
    who: &Who,
    tool_name: &str,
    arguments: Bound<'_, PyDict>,
    timeout: Option<f64>,
) -> PyResult<Option<Running>> {
    let mut completed = arguments.clone();
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(UNLIMITED);
    let admitted = admit(py, host, who, tool_name, timeout, |tool, _| {
        completed = complete(py, tool, arguments.clone())?;
        Ok(())
    })?;
    admitted.map(|admitted| Running::new(py, host, who, admitted, completed)).transpose()
}

/// Runs what was admitted. Only a call that others may want to know of is told to its tool and to those within it.
fn run<'py>(
    py: Python<'py>,
    host: &Host,
    who: &Who,
    admitted: &Admitted,
    function: &Function,
    arguments: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    if who.is_unknown_to(function) {
        return function.callable.bind(py).call(PyTuple::empty(py), Some(&arguments));
    }
    let call = Bound::new(py, Call::new(host, admitted.context(), admitted.tool().clone()))?;
    let context = py.import(intern!(py, "gathering._process.context"))?;
    context.call_method1(intern!(py, "run"), (&function.callable, function.wants_context, arguments, call))
}

fn function_of(tool: &Tool) -> &Function {
    kept(tool).and_then(|kept| kept.function.as_ref()).expect("it was admitted as a function of this process")
}

fn refuse_async(tool_name: &str, function: &Function) -> PyResult<()> {
    if !function.is_async {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(format!("Async tool '{tool_name}' must be called via execute_async()")))
}

/// The arguments by name: as many live values as `names` has.
struct Named<'a, 'py> {
    py: Python<'py>,
    names: Option<Bound<'py, PyTuple>>,
    values: &'a [*mut ffi::PyObject],
}

impl<'py> Named<'_, 'py> {
    fn fits(&self, tool: &Tool) -> bool {
        tool.arguments().is_any() || tool.arguments().look(self).is_some_and(|missing| missing.is_empty())
    }

    fn hand_on(&self, function: &Function, vectorcall: Vectorcall) -> PyResult<Bound<'py, PyAny>> {
        let names = self.names.as_ref().map_or(std::ptr::null_mut(), Bound::as_ptr);
        // SAFETY: the values and their names are those that the interpreter gave, and live until it is returned to.
        unsafe {
            let result = vectorcall(function.callable.as_ptr(), self.values.as_ptr(), 0, names);
            Bound::from_owned_ptr_or_err(self.py, result)
        }
    }

    fn to_dict(&self) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        for (name, value) in self.pairs() {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    fn pairs(&self) -> impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let names = self.names.iter().flat_map(|names| names.iter());
        // SAFETY: the values are live objects.
        names
            .zip(self.values)
            .map(|(name, value)| (name, unsafe { Bound::from_borrowed_ptr(self.py, *value) }))
    }
}

impl<'py> Look for Named<'_, 'py> {
    type Inner = Given<'py>;

    fn see(&self) -> Seen<'_> {
        Seen::Object(self.values.len())
    }

    fn items(&self, _holds: impl FnMut(&Given<'py>) -> bool) -> bool {
        false
    }

    fn entries(&self, mut holds: impl FnMut(&str, &Given<'py>) -> bool) -> bool {
        self.pairs().all(|(name, value)| {
            let name = name.cast::<PyString>().ok().and_then(|name| name.to_str().ok());
            name.is_some_and(|name| holds(name, &Given(value)))
        })
    }
}

type Vectorcall = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    usize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// `PyObject_Vectorcall`. It is part of the stable ABI from Python 3.12 on; 3.11 has the same one, so it is asked for by name.
fn vectorcall() -> Option<Vectorcall> {
    static FOUND: OnceLock<Option<Vectorcall>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let name: *const c_char = c"PyObject_Vectorcall".as_ptr();
        // SAFETY: the name is a C string; a function of this name has this signature in every Python that has it.
        unsafe {
            let found = libc::dlsym(libc::RTLD_DEFAULT, name);
            (!found.is_null()).then(|| std::mem::transmute::<*mut libc::c_void, Vectorcall>(found))
        }
    })
}
