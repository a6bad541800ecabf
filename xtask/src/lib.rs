//! The rules of the house as code, shared by `cargo xtask tidy` and the house test.
//! Knows names and files only: no crate of this workspace, and no crate from outside.

pub mod house;
