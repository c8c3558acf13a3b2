//! The only build tool of Rushlight.
fn main() {}
