//! The command line of GatheRing.

fn main() {}
