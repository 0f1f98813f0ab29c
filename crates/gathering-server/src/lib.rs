//! GatheRing over REST: translates requests into calls of a [`Host`](gathering_host::Host) and its answers into JSON;
//! decides nothing of its own.
//!
//! ```no_run
//! use gathering_host::Host;
//! use gathering_server::{App, Options, serve};
//!
//! # async fn example() -> std::io::Result<()> {
//! let app = App::new(Host::builder().build(), Options::default());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! serve(listener, app, async { /* returns when the server has to stop */ }).await
//! # }
//! ```

mod access;
mod answer;
mod app;
mod error;
mod guard;
mod openapi;
mod request;
mod routes;
mod schemas;
mod seats;
mod serve;
mod wrong_tokens;

pub use access::{Access, AddressError, Token, check_address};
pub use app::{App, HealthDetails, Options, PluginLog};
pub use routes::router;
pub use serve::serve;
