//! Keeps the state of GatheRing in a SQLite file.
//!
//! [`SqliteStore`] implements [`gathering_core::StateStore`] and [`gathering_core::ConversationStore`]. A change is on the disk before it is acknowledged, a file
//! that this version does not understand is refused and left alone, and a record that cannot be read is set aside, so
//! that it neither hides the others nor is lost.
//!
//! [`CallJournal`] implements [`gathering_core::Journal`]: a row of every call, in a folder of its own.

mod conversations;
mod format;
mod journal;
mod open;
mod store;

pub use journal::{CallJournal, JournalSettings, OnFailure};
pub use open::OpenError;
pub use store::{SetAside, SqliteStore};
