//! Talking with agents, against a mock provider that others wrote (npm `@copilotkit/aimock`).

mod authoring;
mod failures;
mod formats;
mod limits;
mod mock;
mod support;
mod tools;
