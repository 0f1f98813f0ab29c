//! The shapes of the journal.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::shapes;

shapes! {
    /// Rows of the journal.
    struct Calls {
        /// The rows.
        calls: Vec<Call>,
        /// The `cursor` of the next page; null if there is none.
        #[schema(required)]
        next: Option<i64>,
        /// The number of the newest row, for `after`; null if there are no rows.
        #[schema(required)]
        newest: Option<i64>,
    }

    /// What is kept of a call. What is not known is left out.
    struct Call {
        /// Names the call.
        call_id: String,
        /// Names everything that one request caused.
        trace_id: String,
        /// The call from within which it was made.
        #[schema(required = false)]
        parent_call_id: String,
        /// When it was made, in milliseconds since 1970-01-01 UTC.
        at_ms: u64,
        /// `operator`, or the agent's id.
        caller: String,
        /// The tool, or what was asked for, shortened.
        tool: String,
        /// The tool's plugin.
        #[schema(required = false)]
        plugin_id: String,
        /// The plugin's version.
        #[schema(required = false)]
        plugin_version: String,
        /// The arguments, with `***` for secrets of the plugin.
        #[schema(required = false, value_type = Object)]
        arguments: Value,
        /// The beginning of the arguments' JSON, where the whole has more than `journal.max_arguments` bytes.
        #[schema(required = false)]
        arguments_begin: String,
        /// How many bytes of JSON the arguments have.
        #[schema(required = false)]
        arguments_bytes: usize,
        /// `allowed`: it was handed to its plugin. `refused`: nothing ran.
        #[schema(example = "allowed")]
        decision: String,
        /// The code of the error; not there if there was a result. `cancelled`: its caller gave it up.
        #[schema(required = false)]
        code: String,
        /// The error in words, shortened.
        #[schema(required = false)]
        error: String,
        /// From its first step to its last.
        duration_ms: f64,
        /// How what ran it was confined.
        #[schema(required = false)]
        tier: super::Tier,
        /// SHA-256 of the result: its value as compact JSON, followed by its own content parts as such, if it has any.
        #[schema(required = false)]
        result_sha256: String,
        /// How many bytes that was made of.
        #[schema(required = false)]
        result_bytes: u64,
    }
}
