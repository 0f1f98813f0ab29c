//! What the tests of GatheRing share: a host to try things on, fakes that fail on demand, the conformance suite.

pub mod conformance;
mod fake;
mod host;
mod store;

pub use fake::{FakePlugin, FakeRuntime};
pub use host::{TestHost, agent, id};
pub use store::MemoryStore;
