//! Keeps the state of GatheRing in SQLite.
