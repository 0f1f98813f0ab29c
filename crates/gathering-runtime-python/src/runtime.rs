//! (being written)
/// (being written)
pub struct PythonRuntime;
