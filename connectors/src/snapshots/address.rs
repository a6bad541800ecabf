//! From an address to the client of its bucket. Owns which schemes there are and which variables each provider's client
//! reads; must not know what is kept there.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, RetryConfig};
use url::Url;

use super::error::{ObjectSnapshotsError, scrubbed};

/// For how long a request is repeated that fails for a moment. Whoever shuts down waits for it.
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);
const RETRIES_MAX: usize = 5;

/// A bucket, and what is put before every name in it.
pub(super) struct Place {
    pub(super) bucket: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// As it may be told.
    pub(super) address: String,
    pub(super) variables: &'static str,
}

impl Place {
    /// The place at an address; nobody is asked yet.
    pub(super) fn open(address: &str) -> Result<Self, ObjectSnapshotsError> {
        let invalid =
            |shown: &str, reason: String| ObjectSnapshotsError::Address { address: shown.to_owned(), reason };
        // What cannot be read may have a secret anywhere in it.
        let url = Url::parse(address).map_err(|error| invalid("the address given", error.to_string()))?;
        let shown = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !is_plain || url.query().is_some() || url.fragment().is_some() {
            let reason = "logins and parameters do not belong in it, but in variables".to_owned();
            return Err(invalid(&shown, reason));
        }
        let is_folder = url.scheme() == "file";
        if is_folder == url.has_host() {
            let reason = if is_folder { "a folder has no host" } else { "no bucket is named" };
            return Err(invalid(&shown, reason.to_owned()));
        }
        let prefix = Path::from_url_path(url.path()).map_err(|error| invalid(&shown, error.to_string()))?;
        let retry =
            RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let (bucket, variables) = match url.scheme() {
            "file" => (Ok(Arc::new(LocalFileSystem::new()) as Arc<dyn ObjectStore>), "none"),
            "s3" | "s3a" => {
                let builder = AmazonS3Builder::from_env().with_url(&shown).with_retry(retry);
                let variables = "AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT elsewhere than at AWS)";
                (builder.build().map(|bucket| Arc::new(bucket) as _), variables)
            }
            "gs" => {
                let builder = GoogleCloudStorageBuilder::from_env().with_url(&shown).with_retry(retry);
                (builder.build().map(|bucket| Arc::new(bucket) as _), "GOOGLE_APPLICATION_CREDENTIALS")
            }
            "az" | "abfs" | "abfss" => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(&shown).with_retry(retry);
                let variables = "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY";
                (builder.build().map(|bucket| Arc::new(bucket) as _), variables)
            }
            other => return Err(invalid(&shown, format!("{other} is not known"))),
        };
        let bucket = bucket.map_err(|error| ObjectSnapshotsError::Settings {
            address: shown.clone(),
            reason: scrubbed(&error.to_string()),
            variables,
        })?;
        Ok(Self { bucket, prefix, address: shown, variables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_scheme_a_bucket_and_no_secret() {
        for (address, reason) in [
            ("snapshots", "the address given"),
            ("ftp://bucket/x", "ftp is not known"),
            ("s3:///x", "no bucket"),
            ("file://host/x", "no host"),
            ("s3://key:hush@bucket/x", "variables"),
            ("az://container/x?sig=hush", "variables"),
        ] {
            let error = Place::open(address).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(reason) && !error.contains("hush"), "{address}: {error}");
        }
    }

    #[test]
    fn a_bucket_without_a_prefix_is_one_too() {
        let place = Place::open("s3://bucket").expect("no request is made yet");
        assert_eq!((place.prefix, place.address.as_str()), (Path::default(), "s3://bucket"));
        assert_eq!(Place::open("gs://bucket/a/b/").expect("opened").prefix, Path::from("a/b"));
    }
}
