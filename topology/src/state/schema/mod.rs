//! Key schemas: what the bytes of compound keys look like. Knows bytes and time only.

pub(crate) mod buffer;
pub(crate) mod join;
pub(crate) mod session;
pub(crate) mod window;
