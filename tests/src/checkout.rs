//! Where the product's own files lie: manifests, recipes, documentation. Must not know what is read from them.

use std::path::{Path, PathBuf};

/// The root of the checkout that is tested.
///
/// As cargo tells it at the start, not when this was compiled: two checkouts with one target directory share what cargo
/// takes for fresh. A program that was started without cargo finds the one it was compiled in.
///
/// ```
/// assert!(candlewick_tests::checkout().join("topology/Cargo.toml").is_file());
/// ```
///
/// # Panics
/// When the crate does not lie in a folder of the workspace.
#[must_use]
pub fn checkout() -> PathBuf {
    let of_crate = std::env::var_os("CARGO_MANIFEST_DIR");
    let of_crate = of_crate.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    of_crate.parent().map(Path::to_owned).expect("the crate lies in a folder of the workspace")
}
