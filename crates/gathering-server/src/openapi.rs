//! The OpenAPI document: what is said once for all routes. The rest stands at each route.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Built, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};

use crate::error::ProblemDocument;

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "GatheRing",
        description = "The tool runtime for AI agents: one place where every tool an agent may use lives.",
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Tokens),
    security((), ("operator_token" = []), ("agent_token" = [])),
    tags(
        (name = "plugins", description = "Packages that contribute tools, competencies and file handlers"),
        (name = "tools", description = "Functions that agents can call"),
        (name = "agents", description = "Who calls beside the operator, and what each may call"),
        (name = "calls", description = "The journal: what was called, by whom, and what came of it"),
        (name = "competencies", description = "Skills that agents can hold"),
        (name = "file handlers", description = "Tools bound to file formats"),
        (name = "server", description = "The server itself"),
    ),
)]
pub(crate) struct Document;

/// How tokens are sent.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Built) {
        let schemes = [
            (
                "operator_token",
                "The text of `operator.token` in the server's data directory. Over loopback it may be left out until the \
                 first agent is made, unless the server requires it.",
            ),
            ("agent_token", "What an agent is known by: `token` in the answer that made it."),
        ];
        let components = document.components.get_or_insert_default();
        for (name, description) in schemes {
            let bearer =
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
            components.add_security_scheme(name, SecurityScheme::Http(bearer));
        }
    }
}

/// The whole document as JSON. It is the same for every server of this version.
pub(crate) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let (_, document) = crate::routes::documented().split_for_parts();
        serde_json::to_vec(&document).expect("a document has only texts and numbers").into()
    });
    DOCUMENT.clone()
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $codes:literal,)* })*) => { $(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(($status, $codes)),*].into_iter().map(problem).collect()
            }
        }
    )* };
}

problems! {
    /// What any request can meet before or while it is handled.
    Refused {
        "401": "`unauthenticated`: the token is missing or wrong",
        "403": "`forbidden`: this is not for agents; `host_refused`: the request comes from a page of another site, or names another host",
        "429": "`too_many_guesses`: more wrong tokens came than are answered one by one",
        "500": "`internal`: a bug of GatheRing",
    }
    /// What a query can be refused for.
    BadQuery {
        "400": "`bad_request`: a parameter is unknown or does not fit",
    }
    /// What a body can be refused for. Of two sets with the same status, the later one is shown.
    BadBody {
        "400": "`bad_request`: the body is not JSON, or does not fit",
        "408": "`request_timeout`: the body did not arrive in time",
        "413": "`too_large`: the body or the arguments are too large",
        "415": "`unsupported_media_type`: a body needs `Content-Type: application/json`",
    }
    /// That a plugin cannot be made of this code.
    BadDynamic {
        "400": "`bad_request`: the body does not fit; `invalid_code`: `errors` says where in which tool's code",
    }
    /// That a plugin cannot be saved there.
    BadPath {
        "400": "`bad_request`, or `invalid_path`: it is in none of the plugin folders, which are named",
    }
    /// Why an act on a plugin that was made of code failed.
    AuthoringFailed {
        "403": "`missing_competency`, `forbidden` or `host_refused`",
        "422": "`example_failed`: expected and got are shown; `invalid_config`, `invalid_plugin` or `missing_dependency`",
        "429": "`rate_limited`",
        "501": "`not_implemented`: this server makes no plugins of code",
    }
    /// That a plugin was not made of code, or a file is in the way.
    NotDynamic {
        "409": "`wrong_state`: the plugin was not made of code; `file_exists`, `has_dependents` or `already_registered`",
    }
    /// That there is no such version.
    UnknownVersion {
        "404": "`unknown_plugin` or `unknown_version`",
    }
    /// That a folder cannot be looked through.
    BadDirectory {
        "400": "`bad_request`, or `invalid_directory`: there is no such folder",
    }
    /// That a thing of this name is not there.
    UnknownTool {
        "403": "`missing_competency`, `forbidden` or `host_refused`",
        "404": "`unknown_tool`",
        "409": "`plugin_disabled` or `wrong_state`",
    }
    /// That a thing of this name is not there.
    UnknownAgent {
        "404": "`unknown_agent` or `unknown_competency`",
    }
    /// That there is no such agent, or conversation of it.
    UnknownConversation {
        "404": "`unknown_agent` or `unknown_conversation`",
        "501": "`not_implemented`: this server lets no model answer as an agent",
    }
    /// Why nobody talks with an agent as asked. What goes wrong later is told by the event `error`.
    ChatFailed {
        "404": "`unknown_agent` or `unknown_conversation`",
        "409": "`no_model` or `unknown_model`: no model is configured, or none of that name; `conversation_busy` or `conversation_full`",
        "429": "`rate_limited`: the agent has used what it may use in a day",
        "501": "`not_implemented`: this server lets no model answer as an agent",
        "507": "`storage_full`: the conversation could not be saved",
    }
    /// Why an agent cannot be made or changed as asked.
    AgentFailed {
        "404": "`unknown_agent`, `unknown_competency` or `unknown_tool`",
        "409": "`exceeds_parent`, `not_granted` or `has_dependents`",
        "507": "`storage_full`: the change could not be saved, so it was not made",
    }
    /// That there is no such row, or no rows.
    UnknownCall {
        "404": "`unknown_call`: no row has this id, or it is not the agent's",
        "501": "`not_implemented`: this server keeps no journal",
        "503": "`journal_failed`: the journal cannot be read",
    }
    /// That a thing of this name is not there.
    UnknownPlugin {
        "404": "`unknown_plugin`",
    }
    /// That a thing of this name is not there.
    UnknownCompetency {
        "404": "`unknown_competency`",
    }
    /// Why a call gives no result.
    CallFailed {
        "403": "`missing_competency`, `forbidden` or `host_refused`",
        "404": "`unknown_tool`",
        "409": "`plugin_disabled` or `wrong_state`",
        "422": "`invalid_arguments`: `errors` says which and why",
        "429": "`busy`: the plugin's queue is full; `rate_limited`: the agent has made its calls; try again later",
        "502": "`worker_exited`, `protocol_error`, `output_limit` or `invalid_result`: the plugin is at fault",
        "503": "`sandbox_setup_failed`, `journal_failed` or `shutting_down`",
        "504": "`timed_out`: the call was stopped at its deadline",
    }
    /// Why a plugin cannot be managed as asked.
    ManageFailed {
        "404": "`unknown_plugin`, or `not_found`: its file is gone",
        "409": "`wrong_state`, `has_dependents`, `missing_dependency`, `dependency_cycle`, `already_registered` or `not_granted`",
        "422": "`invalid_config`, `invalid_plugin`, or `missing_dependency`: a package could not be installed",
        "502": "`hook_failed`, `unhealthy` or `stopped_by_revoke`: the plugin is at fault",
        "503": "`runtime_failed` or `shutting_down`",
        "504": "`timed_out`: it did not load in time",
        "507": "`storage_full`: the change could not be saved, so it was not made",
    }
}

fn problem((status, description): (&str, &str)) -> (String, RefOr<Response>) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response =
        ResponseBuilder::new().description(description).content("application/problem+json", content).build();
    (status.to_owned(), response.into())
}
