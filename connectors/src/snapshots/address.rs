//! From an address to the client of its bucket. Owns which schemes there are and which variables each provider's client
//! reads; must not know what is kept there.

use std::str::FromStr;
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
    /// The place at an address, with settings by the names of their variables that are stronger than the environment's;
    /// nobody is asked yet.
    pub(super) fn open(address: &str, settings: &[(&str, String)]) -> Result<Self, ObjectSnapshotsError> {
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
        let (bucket, variables) = match url.scheme() {
            "file" => (Ok(Arc::new(LocalFileSystem::new()) as Arc<dyn ObjectStore>), "none"),
            "s3" | "s3a" => (s3(&shown, settings), S3_VARIABLES),
            "gs" => (google(&shown, settings), GOOGLE_VARIABLES),
            "az" | "abfs" | "abfss" => (azure(&shown, settings), AZURE_VARIABLES),
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

const S3_VARIABLES: &str =
    "AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT elsewhere than at AWS)";
const GOOGLE_VARIABLES: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const AZURE_VARIABLES: &str = "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY";

type Opened = Result<Arc<dyn ObjectStore>, object_store::Error>;

fn s3(address: &str, settings: &[(&str, String)]) -> Opened {
    let builder = AmazonS3Builder::from_env().with_url(address).with_retry(retry());
    let builder = known(settings).fold(builder, |builder, (key, value)| builder.with_config(key, value));
    Ok(Arc::new(builder.build()?))
}

fn google(address: &str, settings: &[(&str, String)]) -> Opened {
    let builder = GoogleCloudStorageBuilder::from_env().with_url(address).with_retry(retry());
    let builder = known(settings).fold(builder, |builder, (key, value)| builder.with_config(key, value));
    Ok(Arc::new(builder.build()?))
}

fn azure(address: &str, settings: &[(&str, String)]) -> Opened {
    let builder = MicrosoftAzureBuilder::from_env().with_url(address).with_retry(retry());
    let builder = known(settings).fold(builder, |builder, (key, value)| builder.with_config(key, value));
    Ok(Arc::new(builder.build()?))
}

/// The settings that a client knows; as with variables, it passes over others.
fn known<K: FromStr>(settings: &[(&str, String)]) -> impl Iterator<Item = (K, String)> {
    settings.iter().filter_map(|(name, value)| Some((name.to_lowercase().parse().ok()?, value.clone())))
}

fn retry() -> RetryConfig {
    RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() }
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
            let error = Place::open(address, &[]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(reason) && !error.contains("hush"), "{address}: {error}");
        }
    }

    #[test]
    fn a_bucket_without_a_prefix_is_one_too() {
        let place = Place::open("s3://bucket", &[]).expect("no request is made yet");
        assert_eq!((place.prefix, place.address.as_str()), (Path::default(), "s3://bucket"));
        assert_eq!(Place::open("gs://bucket/a/b/", &[]).expect("opened").prefix, Path::from("a/b"));
    }
}
