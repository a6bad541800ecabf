//! Where snapshots of stores are kept: what becomes of `--snapshots`, and what is said where the build knows no buckets.
//! Must not know what a snapshot holds.

use std::path::Path;
use std::sync::Arc;

use candlewick::{FolderSnapshots, SnapshotStore};

use crate::error::CommandError;

/// Opens the place of snapshots at an address; there is none where nothing is said.
///
/// ```
/// use candlewick_pipelines::snapshots;
/// assert!(snapshots::open(None).expect("nothing to open").is_none());
/// let place = snapshots::open(Some("file:///mnt/snapshots")).expect("a folder");
/// assert!(place.is_some());
/// let error = snapshots::open(Some("snapshots")).err().expect("it could be anything");
/// assert!(error.to_string().contains("file:///"));
/// ```
///
/// # Errors
/// When the address is none, or this build cannot reach what it names.
pub fn open(address: Option<&str>) -> Result<Option<Arc<dyn SnapshotStore>>, CommandError> {
    let Some(address) = address else { return Ok(None) };
    match address.strip_prefix("file://") {
        Some(folder) if Path::new(folder).is_absolute() => Ok(Some(Arc::new(FolderSnapshots::new(folder)))),
        Some(_) => Err(CommandError::Usage(
            "--snapshots takes a folder by its whole path: file:///mnt/snapshots has three strokes"
                .to_owned(),
        )),
        None => bucket(address).map(Some),
    }
}

#[cfg(feature = "object-store")]
fn bucket(address: &str) -> Result<Arc<dyn SnapshotStore>, CommandError> {
    Ok(Arc::new(candlewick_connectors::snapshots::ObjectSnapshots::open(address)?))
}

/// The address is not told: what is written in a wrong form may hold a secret.
#[cfg(not(feature = "object-store"))]
fn bucket(address: &str) -> Result<Arc<dyn SnapshotStore>, CommandError> {
    let is_bucket =
        ["s3:", "s3a:", "gs:", "az:", "abfs:", "abfss:"].iter().any(|known| address.starts_with(known));
    let reason = match is_bucket {
        true => {
            "--snapshots in a bucket needs a client, which this build lacks: build with the cargo feature `object-store`, \
             or mount a folder and write file:///FOLDER"
        }
        false => "--snapshots takes file:///FOLDER, or a bucket's s3://, gs:// or az:// address",
    };
    Err(CommandError::Usage(reason.to_owned()))
}
