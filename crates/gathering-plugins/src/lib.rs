//! The built-in plugins of GatheRing and the runtime that runs them.
