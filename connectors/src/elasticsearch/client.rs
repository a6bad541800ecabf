//! The two requests the sink makes, over the official client. The only file that names it; must not know records.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::auth::Credentials;
use elasticsearch::http::Url;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use elasticsearch::indices::IndicesPutIndexTemplateParts;
use elasticsearch::{BulkParts, Elasticsearch};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::bulk::{Answer, BulkItem, judge};
use super::config::{ElasticsearchConfig, Login};
use super::error::ElasticsearchError;

/// Elasticsearch, reached from a synchronous thread.
pub(super) struct Client {
    runtime: Runtime,
    elasticsearch: Elasticsearch,
    url: String,
}

impl Client {
    pub(super) fn new(config: &ElasticsearchConfig) -> Result<Self, ElasticsearchError> {
        let settings = |reason: String| ElasticsearchError::Settings { reason };
        let url = Url::parse(&config.url)
            .map_err(|error| settings(format!("the address '{}': {error}", config.url)))?;
        let mut builder =
            TransportBuilder::new(SingleNodeConnectionPool::new(url)).timeout(config.request_timeout);
        match &config.login {
            Login::None => {}
            Login::Basic { user, password } => {
                builder = builder.auth(Credentials::Basic(user.clone(), password.clone()));
            }
            Login::ApiKey(key) => builder = builder.auth(Credentials::EncodedApiKey(key.clone())),
        }
        let transport = builder.build().map_err(|error| settings(error.to_string()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ElasticsearchError::Thread { reason: error.to_string() })?;
        Ok(Self { runtime, elasticsearch: Elasticsearch::new(transport), url: config.url.clone() })
    }

    /// Puts a composable index template.
    pub(super) fn put_template(&self, name: &str, template: &Value) -> Result<(), ElasticsearchError> {
        let parts = IndicesPutIndexTemplateParts::Name(name);
        let sent = async {
            let response =
                self.elasticsearch.indices().put_index_template(parts).body(template).send().await?;
            let status = response.status_code().as_u16();
            Ok::<_, elasticsearch::Error>((status, response.text().await?))
        };
        let url = self.url.clone();
        match self.runtime.block_on(sent) {
            Err(error) => Err(ElasticsearchError::Unavailable { url, reason: chain(&error) }),
            Ok((200..=299, _)) => Ok(()),
            Ok((401 | 403, reason)) => Err(ElasticsearchError::Denied { url, reason }),
            Ok((400..=428, reason)) => {
                Err(ElasticsearchError::Refused { url, operation: "take the index template", reason })
            }
            Ok((status, reason)) => {
                Err(ElasticsearchError::Unavailable { url, reason: format!("status {status}: {reason}") })
            }
        }
    }

    /// Sends one bulk request and judges its answer.
    pub(super) fn bulk(&self, index: &str, items: &[BulkItem], timeout: Duration) -> Answer {
        let body: Vec<Bytes> = items.iter().map(|item| item.lines.clone()).collect();
        let sent = async {
            let request =
                self.elasticsearch.bulk(BulkParts::Index(index)).body(body).request_timeout(timeout);
            let response = request.send().await?;
            let status = response.status_code().as_u16();
            Ok::<_, elasticsearch::Error>((status, response.bytes().await?))
        };
        match self.runtime.block_on(sent) {
            Ok((status, body)) => judge(status, &body, items),
            Err(error) => Answer::Again(chain(&error)),
        }
    }
}

/// An error with its causes: the client's own words end at "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text
}
