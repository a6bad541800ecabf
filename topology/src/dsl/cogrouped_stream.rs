//! Several grouped streams that are gathered into one aggregate.

use std::rc::Rc;

use super::StreamsBuilder;
use super::operation::cogroup::Member;
use super::windowed_stream::WindowKind;

/// Grouped streams whose records all change one aggregate a key. Made by
/// [`KGroupedStream::cogroup`](crate::KGroupedStream::cogroup).
///
/// ```
/// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let of = |topic| builder.stream(topic, Consumed::<String, i64>::default()).group_by_key(Grouped::default());
/// of("in")
///     .cogroup(|_, amount, balance: &mut i64| *balance += amount)
///     .cogroup(of("withdrawals"), |_, amount, balance| *balance -= amount)
///     .aggregate(|| 0, Materialized::named("balance"))
///     .to_stream()
///     .map_values(|balance| balance.unwrap_or(0))
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [10, 20] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # driver.input_topic("withdrawals", StringSerde, I64Serde).pipe("k".to_string(), 5, Timestamp(30)).expect("processed");
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // 10 and 20 come in, 5 go out:
/// assert_eq!(values, [10, 30, 25]);
/// ```
pub struct CogroupedKStream<'b, K, A> {
    pub(super) builder: &'b StreamsBuilder,
    pub(super) members: Vec<Rc<dyn Member<K, A>>>,
}

impl<K, A> Clone for CogroupedKStream<'_, K, A> {
    fn clone(&self) -> Self {
        Self { builder: self.builder, members: self.members.clone() }
    }
}

/// Cogrouped streams whose aggregates are kept per key and window. Made by [`CogroupedKStream::windowed_by`].
///
/// ```
/// use candlewick::{Consumed, Grouped, Materialized, SessionWindows, StreamsBuilder, Windowed};
/// use std::time::Duration;
/// let builder = StreamsBuilder::new();
/// let of = |topic| builder.stream(topic, Consumed::<String, i64>::default()).group_by_key(Grouped::default());
/// let visits = of("clicks")
///     .cogroup(|_, _, events: &mut i64| *events += 1)
///     .cogroup(of("searches"), |_, _, events| *events += 1)
///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(300)))
///     .aggregate(|| 0, |_, one, other| one + other, Materialized::named("visits"));
/// # let _: candlewick::KTable<'_, Windowed<String>, i64> = visits;
/// # builder.build().expect("valid");
/// ```
pub struct WindowedCogroupedKStream<'b, K, A, W> {
    pub(crate) cogrouped: CogroupedKStream<'b, K, A>,
    pub(crate) windows: W,
}

impl<K, A, W: WindowKind> Clone for WindowedCogroupedKStream<'_, K, A, W> {
    fn clone(&self) -> Self {
        Self { cogrouped: self.cogrouped.clone(), windows: self.windows }
    }
}

impl<'b, K, A> CogroupedKStream<'b, K, A> {
    /// Aggregates within windows instead of over all time.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .cogroup(|_, n, sum: &mut i64| *sum += n)
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
    ///     .aggregate(|| 0, Materialized::named("sums"))
    ///     .to_stream()
    ///     .map(|window, sum| (window.key, sum.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 9, 11] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1 and 9 in one window and 11 in the next:
    /// assert_eq!(values, [1, 10, 11]);
    /// ```
    #[must_use]
    pub fn windowed_by<W: WindowKind>(self, windows: W) -> WindowedCogroupedKStream<'b, K, A, W> {
        WindowedCogroupedKStream { cogrouped: self, windows }
    }
}
