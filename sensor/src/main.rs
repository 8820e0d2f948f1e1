//! The `tapwire` binary: command line, configuration, assembly.

fn main() {}
