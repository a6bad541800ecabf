//! What is measured: which application, under which guarantee, how it is fed. Owns the list of cases.

use std::time::Duration;

/// Partitions of the topics of trades and of outputs.
pub(crate) const PARTITIONS: i32 = 4;

/// The pipelines that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Trades to one-minute candles with indicators.
    Candles,
    /// Trades of buyers to their notional value: stateless.
    Notional,
}

impl Application {
    /// Its name on either command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Candles => "candles",
            Self::Notional => "notional",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// What the row is called, on the command line and in the report.
    pub name: &'static str,
    /// The application.
    pub application: Application,
    /// Exactly once, or at least once.
    pub exactly_once: bool,
    /// Records a second, or as fast as they are read.
    pub rate: Option<u32>,
    /// Time between commits, or each side's default, which is the same.
    pub commit_interval: Option<Duration>,
    /// Whether the record cache is on.
    pub cache: bool,
}

impl Workload {
    /// All rows.
    pub const ALL: [Self; 4] = [
        Self {
            name: "alo",
            application: Application::Candles,
            exactly_once: false,
            rate: None,
            commit_interval: None,
            cache: true,
        },
        Self {
            name: "eos",
            application: Application::Candles,
            exactly_once: true,
            rate: Some(25_000),
            commit_interval: Some(Duration::from_millis(100)),
            cache: true,
        },
        Self {
            name: "stateless",
            application: Application::Notional,
            exactly_once: false,
            rate: None,
            commit_interval: None,
            cache: true,
        },
        Self {
            name: "alo-cache-off",
            application: Application::Candles,
            exactly_once: false,
            rate: None,
            commit_interval: None,
            cache: false,
        },
    ];
}
