//! The JavaScript engine, as a job of a confined worker.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rquickjs::context::EvalOptions;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Promise, Runtime, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::worker::Job;

/// The stack of the engine, in bytes: some less than that of the thread that it runs on.
const STACK: usize = 8 << 20;

/// What is said of a thrown null.
const NULL: &str = "thrown: null";

/// Makes the console, and gives the function that makes JSON of a value. `JSON.stringify` shows what an object holds, `String` what it leaves out.
const CONSOLE: &str = r#"(write) => {
    const { stringify } = JSON;
    const text = (value) => {
        if (typeof value === "string") return value;
        if (value instanceof Error) return `${value.name}: ${value.message}`;
        try { return stringify(value) ?? String(value); } catch { return String(value); }
    };
    const log = (...values) => write(values.map(text).join(" ") + "\n");
    globalThis.console = Object.freeze({ log, info: log, warn: log, error: log, debug: log });
    return (value) => {
        if (value === undefined) return "null";
        if (typeof value === "number" && !Number.isFinite(value)) return stringify(String(value));
        try { return stringify(value) ?? stringify(String(value)); } catch { return stringify(String(value)); }
    };
}"#;

/// A piece of JavaScript, and what it may use.
#[derive(Serialize, Deserialize)]
pub(crate) struct Script {
    pub(super) code: String,
    pub(super) most_milliseconds: u64,
    pub(super) most_memory: usize,
    /// Of what it prints, and of its result, in bytes.
    pub(super) most_output: usize,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Evaluated {
    result: Box<RawValue>,
    output: String,
    truncated: bool,
    error: Option<String>,
    traceback: String,
}

/// Why nothing came of it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Stopped {
    Time,
    Memory,
    /// The result is too large.
    Result,
    Engine(String),
}

impl Job for Script {
    const NAME: &'static str = "javascript.eval";
    type Output = Result<Evaluated, Stopped>;

    fn run(self, _files: Vec<File>) -> Self::Output {
        let failed = |error: rquickjs::Error| Stopped::Engine(error.to_string());
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(self.most_memory);
        runtime.set_max_stack_size(STACK);
        let until = Instant::now().checked_add(Duration::from_millis(self.most_milliseconds));
        let is_late = Arc::new(AtomicBool::new(false));
        let seen = is_late.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || {
            let is_over = until.is_some_and(|until| Instant::now() >= until);
            if is_over {
                seen.store(true, Ordering::Relaxed);
            }
            is_over
        })));
        let context = Context::full(&runtime).map_err(failed)?;
        let printed = Rc::new(Printed {
            text: RefCell::default(),
            truncated: Cell::new(false),
            most: self.most_output,
        });
        let ended = context.with(|ctx| evaluate(&ctx, self.code, &printed));
        let used = usize::try_from(runtime.memory_usage().malloc_size).unwrap_or(0);
        if is_late.load(Ordering::Relaxed) {
            return Err(Stopped::Time);
        }
        let ended = ended.map_err(failed)?;
        let (result, error, traceback) = match ended {
            Ended::Value(json) if json.len() > self.most_output => return Err(Stopped::Result),
            Ended::Value(json) => (json, None, String::new()),
            Ended::Thrown { error, .. } if error.ends_with("out of memory") => return Err(Stopped::Memory),
            // Where there is no memory left for an exception either, the engine throws null.
            Ended::Thrown { error, .. } if error == NULL && used > self.most_memory / 2 => {
                return Err(Stopped::Memory);
            }
            Ended::Thrown { error, traceback } => ("null".to_owned(), Some(error), traceback),
        };
        let result = RawValue::from_string(result).map_err(|error| Stopped::Engine(error.to_string()))?;
        let (output, truncated) = (printed.text.take(), printed.truncated.get());
        Ok(Evaluated { result, output, truncated, error, traceback })
    }
}

/// How the code came to its end.
enum Ended {
    /// With a value, as JSON.
    Value(String),
    Thrown {
        error: String,
        traceback: String,
    },
}

/// What the console was given.
struct Printed {
    text: RefCell<String>,
    truncated: Cell<bool>,
    most: usize,
}

impl Printed {
    fn add(&self, more: &str) {
        let mut text = self.text.borrow_mut();
        let mut room = self.most.saturating_sub(text.len()).min(more.len());
        while !more.is_char_boundary(room) {
            room -= 1;
        }
        text.push_str(&more[..room]);
        if room < more.len() {
            self.truncated.set(true);
        }
    }
}

fn evaluate(ctx: &Ctx<'_>, code: String, printed: &Rc<Printed>) -> rquickjs::Result<Ended> {
    let printed = printed.clone();
    let write = Function::new(ctx.clone(), move |text: String| printed.add(&text))?;
    let to_json: Function<'_> = ctx.eval::<Function<'_>, _>(CONSOLE)?.call((write,))?;
    let mut options = EvalOptions::default();
    options.promise = true;
    options.filename = Some("code.js".to_owned());
    let run = || -> rquickjs::Result<String> {
        let done: Promise<'_> = ctx.eval_with_options(code, options)?;
        // The engine wraps the value, so that one with a `then` of its own is not awaited once more.
        let value: Value<'_> = done.finish::<rquickjs::Object<'_>>()?.get("value")?;
        to_json.call((value,))
    };
    match run().catch(ctx) {
        Ok(json) => Ok(Ended::Value(json)),
        Err(CaughtError::Error(rquickjs::Error::WouldBlock)) => Ok(Ended::Thrown {
            error: "Error: the code awaits what never comes: there are no timers, files or network"
                .to_owned(),
            traceback: String::new(),
        }),
        Err(CaughtError::Error(error)) => Err(error),
        Err(CaughtError::Exception(exception)) => {
            let name = exception.get::<_, String>("name").unwrap_or_else(|_| "Error".to_owned());
            let message = exception.message().unwrap_or_default();
            let traceback = exception.stack().unwrap_or_default();
            Ok(Ended::Thrown { error: format!("{name}: {message}"), traceback })
        }
        Err(CaughtError::Value(value)) => {
            let thrown: String = to_json.call((value,))?;
            Ok(Ended::Thrown { error: format!("thrown: {thrown}"), traceback: String::new() })
        }
    }
}
