//! GatheRing for Rust: configuration and assembly of the tool runtime for AI agents.
