//! A bucket of S3's protocol, by `moto_server` from the path (PyPI's moto with its `server` and `s3`): the protocol, and
//! nothing of logins, which it does not check.

use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::missing::Missing;
use super::process::{Process, answers, data_folder, free_port};

const SERVER: &str = "s3";
const PROGRAM: &str = "moto_server";
const RUNNING: &str = "CANDLEWICK_S3";
const LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "candlewick-tests";

/// A bucket on a server that ends with the test process.
#[derive(Clone, Debug)]
pub struct Bucket {
    url: String,
}

/// A bucket, empty unless another test of this process uses it. A server of `CANDLEWICK_S3=url` has to have it, and
/// logins if at all by the keys of [`Bucket::variables`].
///
/// # Errors
/// When `moto_server` is not on the path or does not start.
pub fn bucket() -> Result<Bucket, Missing> {
    if let Ok(url) = std::env::var(RUNNING) {
        return Ok(Bucket { url });
    }
    static STARTED: OnceLock<Result<(Mutex<Process>, String), Missing>> = OnceLock::new();
    match STARTED.get_or_init(start) {
        Ok((_, url)) => Ok(Bucket { url: url.clone() }),
        Err(missing) => Err(missing.clone()),
    }
}

fn start() -> Result<(Mutex<Process>, String), Missing> {
    let missing = |error: &dyn std::error::Error| Missing::new(SERVER, error.to_string());
    if let Err(error) = Command::new(PROGRAM).arg("--help").output() {
        let why = format!("`{PROGRAM}` does not run ({error}): pip install 'moto[server,s3]'");
        return Err(Missing::new(SERVER, why));
    }
    let (folder, port) = (data_folder(SERVER).map_err(|error| missing(&error))?, free_port());
    let url = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(PROGRAM);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let mut process = Process::start(SERVER, command, &folder.join("log"))?;
    process.wait_until(LIMIT, |_| answers(&format!("{url}/moto-api/")))?;
    let client = reqwest::blocking::Client::builder().no_proxy().build().map_err(|error| missing(&error))?;
    let made =
        client.put(format!("{url}/{NAME}")).send().and_then(reqwest::blocking::Response::error_for_status);
    made.map_err(|error| missing(&error))?;
    Ok((Mutex::new(process), url))
}

impl Bucket {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The variables by which clients reach and log in to it.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT", self.url.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "tester".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "never-seen-77a1".to_owned()),
        ]
    }

    /// The names of its objects, in order.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        let client = reqwest::blocking::Client::builder().no_proxy().build().expect("an HTTP client");
        let answer = client.get(format!("{}/{NAME}?list-type=2", self.url)).send().expect("it answers");
        let text = answer.text().expect("XML");
        let mut names: Vec<String> = text
            .split("<Key>")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()))
            .collect();
        names.sort_unstable();
        names
    }
}
