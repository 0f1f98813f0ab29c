//! The plugin `documents`, called as agents call it: its files are looked at in confined workers.

mod support;

mod tools;
