"""What the package has beside the SDK in the user's own process: the Rust core's registries and the plugin manager."""
