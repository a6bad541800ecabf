//! Snapshots of tasks' stores in S3, Google Cloud Storage, Azure, and what speaks like one of them, over the crate
//! `object_store`. Owns how files come there and back; must not know what is in them.

mod address;
mod error;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use candlewick::SnapshotStore;
use futures_util::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use self::address::Place;
pub use self::error::ObjectSnapshotsError;
use self::error::told;

/// What is sent or asked for at once; what is smaller is one request.
const PART_BYTES: u64 = 8 << 20;
/// Parts under way at once: with those before, the memory that a transfer has.
const PARTS_AT_ONCE: usize = 4;
/// S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;

/// Snapshots under a prefix of a bucket.
///
/// Whoever asks waits for the answer: requests run on one thread of this. Large files go up in parts and come down in
/// parts, of which a few are in memory. Logins are the environment's, as the provider's own tools know them: `AWS_*`,
/// `GOOGLE_*` and `AZURE_*` variables, or the machine's or pod's own identity.
///
/// ```
/// use candlewick::SnapshotStore;
/// use candlewick_connectors::snapshots::ObjectSnapshots;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let address = format!("file://{}/bucket", folder.path().display());
/// // Such as s3://bucket/prefix.
/// let snapshots = ObjectSnapshots::open(&address)?;
/// let file = folder.path().join("file");
/// std::fs::write(&file, "rows")?;
/// snapshots.put("app/0_1/7", &file)?;
/// assert_eq!(snapshots.list("app/0_1/")?, ["app/0_1/7"]);
/// snapshots.get("app/0_1/7", &folder.path().join("copy"))?;
/// assert_eq!(std::fs::read(folder.path().join("copy"))?, b"rows");
/// snapshots.delete("app/0_1/7")?;
/// assert!(snapshots.list("app/")?.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct ObjectSnapshots {
    place: Place,
    runtime: Runtime,
    part_bytes: u64,
}

impl fmt::Debug for ObjectSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client knows logins.
        f.debug_struct("ObjectSnapshots").field("address", &self.place.address).finish_non_exhaustive()
    }
}

impl ObjectSnapshots {
    /// Under this address: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`. Nobody
    /// is asked yet.
    ///
    /// ```
    /// use candlewick_connectors::snapshots::ObjectSnapshots;
    /// let error = ObjectSnapshots::open("ftp://bucket").expect_err("no such bucket");
    /// assert!(error.to_string().contains("s3://BUCKET/PREFIX"));
    /// ```
    ///
    /// # Errors
    /// When it is no such address, or the environment's settings for it do not go together.
    pub fn open(address: &str) -> Result<Self, ObjectSnapshotsError> {
        Self::open_with(address, &[])
    }

    /// The same with settings that are stronger than the environment's, by the names of their variables. Those that the
    /// provider does not know are passed over.
    ///
    /// ```
    /// use candlewick_connectors::snapshots::ObjectSnapshots;
    /// let key = ("AWS_SECRET_ACCESS_KEY", "hush".to_owned());
    /// let snapshots = ObjectSnapshots::open_with("s3://bucket/prefix", &[key]);
    /// assert!(!format!("{snapshots:?}").contains("hush"));
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(address: &str, settings: &[(&str, String)]) -> Result<Self, ObjectSnapshotsError> {
        let place = Place::open(address, settings)?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build();
        let runtime = runtime
            .map_err(|source| ObjectSnapshotsError::Thread { address: place.address.clone(), source })?;
        Ok(Self { place, runtime, part_bytes: PART_BYTES })
    }

    /// The place of a name in the bucket.
    fn key(&self, name: &str) -> io::Result<Key> {
        let key = Key::parse(format!("{}/{name}", self.place.prefix));
        key.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("the name {name}: {error}")))
    }

    fn told(&self, error: object_store::Error) -> io::Error {
        told(&self.place.address, self.place.variables, &error)
    }

    /// Sends a file whole, in one request.
    fn put_small(&self, key: &Key, file: &mut File) -> io::Result<()> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let put = self.place.bucket.put(key, Bytes::from(bytes).into());
        self.runtime.block_on(put).map(drop).map_err(|error| self.told(error))
    }

    /// Sends a file in parts, all of which become one object or none.
    fn put_parts(&self, key: &Key, file: &mut File, bytes: u64) -> io::Result<()> {
        let part = self.part_bytes.max(bytes.div_ceil(PARTS_MAX));
        let part = usize::try_from(part).map_err(io::Error::other)?;
        self.runtime.block_on(async {
            let upload = self.place.bucket.put_multipart(key).await.map_err(|error| self.told(error))?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
            match self.send_parts(&mut upload, file, part).await {
                Ok(()) => upload.finish().await.map(drop).map_err(|error| self.told(error)),
                Err(error) => {
                    if let Err(left) = upload.abort().await {
                        let reason = self.told(left);
                        tracing::warn!(%reason, "parts of a snapshot that failed stay in the bucket: have its lifecycle rules delete them");
                    }
                    Err(error)
                }
            }
        })
    }

    async fn send_parts(&self, upload: &mut WriteMultipart, file: &mut File, part: usize) -> io::Result<()> {
        loop {
            let mut bytes = Vec::with_capacity(part);
            if Read::by_ref(file).take(part as u64).read_to_end(&mut bytes)? == 0 {
                return Ok(());
            }
            upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(|error| self.told(error))?;
            upload.put(bytes.into());
        }
    }

    /// Asks for an object's parts, a few ahead, and writes them one after the other.
    async fn get_parts(&self, key: &Key, file: &mut File) -> io::Result<()> {
        let bytes = self.place.bucket.head(key).await.map_err(|error| self.told(error))?.size;
        let ask = |from: u64| -> JoinHandle<object_store::Result<Bytes>> {
            let (bucket, key) = (Arc::clone(&self.place.bucket), key.clone());
            let to = bytes.min(from + self.part_bytes);
            self.runtime.spawn(async move { bucket.get_range(&key, from..to).await })
        };
        let mut wanted = (0..bytes).step_by(usize::try_from(self.part_bytes).map_err(io::Error::other)?);
        let mut asked: VecDeque<_> = wanted.by_ref().take(PARTS_AT_ONCE).map(ask).collect();
        while let Some(part) = asked.pop_front() {
            let part = part.await.map_err(io::Error::other)?.map_err(|error| self.told(error))?;
            asked.extend(wanted.next().map(ask));
            file.write_all(&part)?;
        }
        Ok(())
    }
}

impl SnapshotStore for ObjectSnapshots {
    fn put(&self, name: &str, file: &Path) -> io::Result<()> {
        let key = self.key(name)?;
        let mut file = File::open(file)?;
        let bytes = file.metadata()?.len();
        match bytes > self.part_bytes {
            true => self.put_parts(&key, &mut file, bytes),
            false => self.put_small(&key, &mut file),
        }
    }

    fn get(&self, name: &str, file: &Path) -> io::Result<()> {
        let key = self.key(name)?;
        let mut file = File::create(file)?;
        self.runtime.block_on(self.get_parts(&key, &mut file))
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        // The bucket lists by whole steps of a path.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = self.key(folder)?;
        let listed = self.place.bucket.list(Some(&folder)).try_collect::<Vec<_>>();
        let listed = self.runtime.block_on(listed).map_err(|error| self.told(error))?;
        let name = |key: &Key| -> Option<String> {
            let steps: Vec<String> =
                key.prefix_match(&self.place.prefix)?.map(|step| step.as_ref().to_owned()).collect();
            Some(steps.join("/")).filter(|name| name.starts_with(prefix))
        };
        let mut names: Vec<String> = listed.iter().filter_map(|object| name(&object.location)).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let key = self.key(name)?;
        self.runtime.block_on(self.place.bucket.delete(&key)).map_err(|error| self.told(error))
    }
}

#[cfg(test)]
mod tests;
