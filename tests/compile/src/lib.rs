//! # candlewick-compile-tests
//!
//! Nothing but the place of `cases/`: common mistakes, each with what the compiler says to it. A crate of its own, because
//! the cases are compiled with its dependencies, which are few.
