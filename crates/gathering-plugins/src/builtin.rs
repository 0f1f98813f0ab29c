//! The list of the plugins that are part of GatheRing.

use crate::Builtin;

/// Every built-in plugin; one line each.
pub fn all() -> Vec<Builtin> {
    vec![crate::core::builtin()]
}
