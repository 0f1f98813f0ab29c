//! The launcher stage alone: stands in for the `gathering` binary in tests and measurements.

fn main() -> std::process::ExitCode {
    gathering_sandbox::launcher_main()
}
