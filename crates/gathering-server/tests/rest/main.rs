//! What REST adds to the host: paths, statuses, shapes, and who may ask.

mod agents;
mod calls;
mod chat;
mod competencies;
mod docs;
mod events;
mod files;
mod guard;
mod permissions;
mod plugins;
mod socket;
mod support;
mod tools;
