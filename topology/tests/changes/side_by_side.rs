//! Two versions at the same time.
