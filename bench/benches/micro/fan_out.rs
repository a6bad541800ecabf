//! Many records for the price of one: the driver commits after every record that is piped in, so a topology under
//! measurement begins with a node that makes a thousand of one. Owns that driver.

use candlewick::{DriverOptions, I64Serde, Serde, Timestamp, Topology, TopologyTestDriver};

/// Records that each piped record becomes.
pub(crate) const FAN_OUT: i64 = 1_000;

/// A driver of a topology that reads `in`, and the way into it.
pub(crate) struct FanOut {
    /// The driver, for a look into its stores.
    pub(crate) driver: TopologyTestDriver,
    pipe: Box<dyn FnMut(i64)>,
    next: i64,
}

impl FanOut {
    /// Runs `topology` with the default cache, with numbers as keys.
    pub(crate) fn new(topology: &Topology) -> Self {
        Self::with_keys(topology, I64Serde, |number| number)
    }

    /// The same with other keys, made of a number.
    pub(crate) fn with_keys<K: 'static>(
        topology: &Topology,
        serde: impl Serde<K>,
        key: impl Fn(i64) -> K + 'static,
    ) -> Self {
        let options = DriverOptions { cache_bytes_max: 10 << 20, ..DriverOptions::default() };
        let driver = TopologyTestDriver::with_options(topology, &options).expect("it starts");
        let input = driver.input_topic("in", serde, I64Serde);
        let pipe = move |number: i64| {
            input.pipe(key(number % 200), number, Timestamp(number)).expect("processed");
        };
        Self { driver, pipe: Box::new(pipe), next: 0 }
    }

    /// Pipes one record, with a key of 200 and a millisecond later than the one before.
    pub(crate) fn pipe(&mut self) {
        (self.pipe)(self.next);
        self.next += 1;
    }
}
