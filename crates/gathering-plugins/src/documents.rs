//! The plugin `documents`: files of many formats, as content that an agent can use.
#![expect(dead_code, reason = "the worker that runs formats comes next")]

mod bitmap;
mod decode;
mod format;
mod pdf;
mod picture;
mod text;
