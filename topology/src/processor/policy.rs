//! What to do about errors, as plain data: for a whole application or for one operator. Owns the answers and how they are
//! written in a configuration; must not know what failed.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::env::{FailedRecord, ProcessHandler, ProcessResponse};

/// What to do about records that fail: fail, leave them out, or write them to the dead letter topic; and before that,
/// perhaps, try again.
///
/// Given to one operator ([`KStream::on_error`](crate::KStream::on_error), [`Consumed::on_error`](crate::Consumed::on_error),
/// [`Produced::on_error`](crate::Produced::on_error)), it is asked before the application's own handlers. It is such a handler
/// itself, and in a configuration it is text:
///
/// ```
/// use candlewick::{ErrorPolicy, StreamsConfig};
/// use std::time::Duration;
/// let policy: ErrorPolicy = "retry 5 200ms dead-letter".parse().expect("valid");
/// assert_eq!(policy, ErrorPolicy::dead_letter().retrying(5, Duration::from_millis(200)));
/// let config = StreamsConfig { process_errors: Some(policy), ..StreamsConfig::new("app") };
/// assert_eq!(policy.to_string(), "retry 5 200ms dead-letter");
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ErrorPolicy {
    retries: u32,
    pause: Duration,
    then: ProcessResponse,
}

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl ErrorPolicy {
    /// Ends the task, and with it the instance: the record is read again after a restart.
    ///
    /// ```
    /// assert_eq!("fail".parse(), Ok(candlewick::ErrorPolicy::fail()));
    /// ```
    #[must_use]
    pub const fn fail() -> Self {
        Self::only(ProcessResponse::Fail)
    }

    /// Leaves the record out, counts it, and goes on.
    ///
    /// ```
    /// use candlewick::{DropReason, ErrorPolicy};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default().on_error(ErrorPolicy::skip()));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, StringSerde);
    /// input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(0)).expect("left out");
    /// assert_eq!(driver.dropped(DropReason::Decode), 1);
    /// ```
    #[must_use]
    pub const fn skip() -> Self {
        Self::only(ProcessResponse::Continue)
    }

    /// Writes the record, as it was read, to the dead letter topic, and goes on.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default().on_error(ErrorPolicy::dead_letter()));
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { dead_letter_topic: Some("dead".into()), ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, StringSerde);
    /// input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(0)).expect("left out");
    /// let dead = driver.output_topic::<String, String>("dead", StringSerde, StringSerde);
    /// assert_eq!(dead.read_value().as_deref(), Some("seven"));
    /// ```
    #[must_use]
    pub const fn dead_letter() -> Self {
        Self::only(ProcessResponse::DeadLetter)
    }

    const fn only(then: ProcessResponse) -> Self {
        Self { retries: 0, pause: Duration::ZERO, then }
    }

    /// Tries again before that, so many times: after `pause`, after twice as long, and so on, a minute at most. A try begins
    /// at the last commit: what the record has done so far, and what came after that commit, is undone first. The tasks of
    /// the thread rest meanwhile.
    ///
    /// ```
    /// use candlewick::ErrorPolicy;
    /// use std::time::Duration;
    /// let policy = ErrorPolicy::skip().retrying(3, Duration::from_secs(1));
    /// assert_eq!(policy.to_string(), "retry 3 1000ms skip");
    /// ```
    #[must_use]
    pub const fn retrying(self, times: u32, pause: Duration) -> Self {
        Self { retries: times, pause, then: self.then }
    }

    /// The answer about a record that has failed so many times before.
    pub(crate) fn answer(&self, failures: u32) -> ProcessResponse {
        if failures >= self.retries {
            return self.then;
        }
        let after = self.pause.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
        ProcessResponse::Retry { after: after.min(PAUSE_MAX) }
    }
}

impl ProcessHandler for ErrorPolicy {
    fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse {
        let answer = self.answer(failed.failures);
        tracing::warn!(task = %failed.task, error = %failed.error, ?answer, "a record failed");
        answer
    }
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} says not what to do about errors: write fail, skip or dead-letter, or before it, as in \"retry 5 200ms dead-letter\", how often to try again and after how long"
)]
pub struct PolicyError {
    text: String,
}

impl std::str::FromStr for ErrorPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let wrong = || PolicyError { text: text.to_owned() };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (retry, then) = match *words.as_slice() {
            [then] => (None, then),
            ["retry", times, pause, then] => (Some((times, pause)), then),
            _ => return Err(wrong()),
        };
        let policy = match then {
            "fail" => Self::fail(),
            "skip" => Self::skip(),
            "dead-letter" => Self::dead_letter(),
            _ => return Err(wrong()),
        };
        let Some((times, pause)) = retry else { return Ok(policy) };
        let millis = match (pause.strip_suffix("ms"), pause.strip_suffix('s')) {
            (Some(millis), _) => millis.parse::<u64>().ok(),
            (None, Some(seconds)) => {
                seconds.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000))
            }
            (None, None) => None,
        };
        let times = times.parse().map_err(|_| wrong())?;
        Ok(policy.retrying(times, Duration::from_millis(millis.ok_or_else(wrong)?)))
    }
}

impl TryFrom<String> for ErrorPolicy {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl fmt::Display for ErrorPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.retries > 0 {
            write!(f, "retry {} {}ms ", self.retries, self.pause.as_millis())?;
        }
        f.write_str(match self.then {
            ProcessResponse::Continue => "skip",
            ProcessResponse::DeadLetter => "dead-letter",
            ProcessResponse::Fail | ProcessResponse::Retry { .. } => "fail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_then_the_answer_is_given() {
        let policy = ErrorPolicy::skip().retrying(40, Duration::from_secs(1));
        let pause = |failures| match policy.answer(failures) {
            ProcessResponse::Retry { after } => Some(after.as_secs()),
            _ => None,
        };
        assert_eq!([0, 1, 2, 5, 6, 39].map(pause), [1, 2, 4, 32, 60, 60].map(Some));
        assert_eq!(policy.answer(40), ProcessResponse::Continue);
        assert_eq!(ErrorPolicy::fail().answer(0), ProcessResponse::Fail);
    }

    #[test]
    fn a_policy_reads_as_it_is_written() {
        for text in ["fail", "skip", "dead-letter", "retry 3 250ms fail", "retry 1 60000ms skip"] {
            assert_eq!(text.parse::<ErrorPolicy>().expect("a policy").to_string(), text);
        }
        for text in ["", "ignore", "retry skip", "retry x 1s skip", "retry 3 1h skip", "skip retry 3 1s"] {
            let error = text.parse::<ErrorPolicy>().expect_err("no policy").to_string();
            assert!(error.contains("write fail, skip or dead-letter"), "{error}");
        }
    }
}
