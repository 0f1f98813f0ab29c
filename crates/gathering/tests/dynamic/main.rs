//! Plugins that are made of code, over their whole life.

mod agents;
mod life;
mod pipeline;
mod saving;
mod support;
