//! Speaks.
fn main() {}
