//! Pages of rows from all instances of an application, for others than HTTP's endpoints. Owns how a range is asked of this
//! instance and spelled for the others; must not know what the rows are for.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Access;
use crate::application::{Application, Question, Range, ReadError, Reply, Rows};
use crate::endpoint::{Peers, to_hex};
use crate::error::ServerError;

/// Rows in one page at most: what an instance gives another one at once.
const LIMIT_MAX: usize = 1_000;

/// The stores of an application as all its instances hold them together: what is not here is asked for where it is.
///
/// ```no_run
/// # async fn all(application: std::sync::Arc<dyn candlewick_server::Application>) -> Result<(), Box<dyn std::error::Error>> {
/// use candlewick_server::{Access, Instances, Range};
/// let instances = Instances::new(application, &Access::default())?;
/// let mut range = Range { limit: 1_000, ..Range::default() };
/// loop {
///     let page = instances.page("candles-1m", &range, None).await?;
///     println!("{} rows", page.rows.len());
///     match page.next {
///         Some(next) => range.after = Some(next),
///         None => return Ok(()),
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Instances {
    application: Arc<dyn Application>,
    peers: Peers,
}

impl Instances {
    /// Those of this application; their servers are protected as `access` says.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// let instances = Instances::new(Arc::new(application), &Access::default().with_token("a long and random word"));
    /// assert!(instances.is_ok());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ServerError::Client`] when no client can be made that asks the others.
    pub fn new(application: Arc<dyn Application>, access: &Access) -> Result<Self, ServerError> {
        Ok(Self { application, peers: Peers::new(access).map_err(ServerError::Client)? })
    }

    /// The application of this instance.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// let instances = Instances::new(Arc::new(application), &Access::default())?;
    /// assert_eq!(instances.application().status().application, "app");
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn application(&self) -> &Arc<dyn Application> {
        &self.application
    }

    /// A page of rows, whole: rows of every instance, in the order of their cursors. Of a page's limit 1,000 rows are
    /// given at most. To be called inside tokio.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// # assert!((0..5_000).any(|_| application.status().state == ApplicationState::Running || { std::thread::sleep(Duration::from_millis(2)); false }));
    /// let instances = Instances::new(Arc::new(application), &Access::default())?;
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// let page = runtime.block_on(instances.page("numbers", &Range { limit: 100, ..Range::default() }, None))?;
    /// assert!(page.rows.is_empty());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`ReadError`] when this instance or one of the others cannot answer for its part; a part is never left out.
    pub async fn page(
        &self,
        store: &str,
        range: &Range,
        staleness_max: Option<Duration>,
    ) -> Result<Reply, ReadError> {
        let range = Range { limit: range.limit.clamp(1, LIMIT_MAX), ..range.clone() };
        let question = Question { rows: Rows::Many(range.clone()), staleness_max };
        let (application, name) = (Arc::clone(&self.application), store.to_owned());
        let read = tokio::task::spawn_blocking(move || application.read(&name, &question));
        let own = read
            .await
            .map_err(|_| ReadError::Failed("the application panicked over the question".to_owned()))??;
        if own.elsewhere.is_empty() {
            return Ok(own);
        }
        let complete = self.peers.complete(own, &range, &path(store, &range, staleness_max)).await;
        complete.map_err(|failure| ReadError::Elsewhere(failure.into_sentence()))
    }
}

/// The range as the other instances' HTTP understands it. One key is a range from itself to itself, whatever the store.
fn path(store: &str, range: &Range, staleness_max: Option<Duration>) -> String {
    let mut path = format!("/stores/{}?limit={}", encoded(store), range.limit);
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            let _ = write!(path, "&{name}={}", encoded(value));
        }
    };
    text("from", range.key.as_deref().or(range.from.as_deref()));
    text("to", range.key.as_deref().or(range.to.as_deref()));
    text("prefix", range.prefix.as_deref());
    text("after", range.after.as_ref().map(to_hex).as_deref());
    text("from_time", range.times.0.map(|time| time.to_string()).as_deref());
    text("to_time", range.times.1.map(|time| time.to_string()).as_deref());
    text("staleness_max_ms", staleness_max.map(|age| age.as_millis().to_string()).as_deref());
    if range.reverse {
        path.push_str("&reverse=true");
    }
    path
}

/// Text inside of a path or a query: everything but letters, digits and `-._~` as percent and two digits.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_spelled_with_everything_that_was_asked() {
        let range = Range {
            key: Some("S 1/ü".to_owned()),
            times: (Some(1), Some(2)),
            reverse: true,
            limit: 7,
            after: Some(vec![0, 255].into()),
            ..Range::default()
        };
        assert_eq!(
            path("per minute", &range, Some(Duration::from_secs(1))),
            "/stores/per%20minute?limit=7&from=S%201%2F%C3%BC&to=S%201%2F%C3%BC&after=00ff&from_time=1&to_time=2\
             &staleness_max_ms=1000&reverse=true"
        );
    }
}
