//! What may happen in a round, drawn from its seed. Must not know how it is brought about.

use std::fmt;
use std::time::Duration;

use crate::chance::Chance;

/// Something that goes wrong, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An instance is killed as a power cut would, and started again after this.
    Kill(usize, Duration),
    /// An instance does not run for this long, and then goes on as if nothing had happened.
    Freeze(usize, Duration),
    /// An instance is asked to end, and started again after this.
    Leave(usize, Duration),
    /// The broker is killed, and started again after this.
    BrokerKill(Duration),
    /// No connection to the broker stands, and none is let in, for this long.
    Cut(Duration),
    /// Everything to and from the broker is slow for this long.
    Slow(Duration),
    /// Elasticsearch is not reachable for this long.
    SinkAway(Duration),
    /// The schema registry is not reachable for this long.
    RegistryAway(Duration),
    /// An instance's disk has no room left for this long.
    DiskFull(usize, Duration),
}

impl Fault {
    /// Its name, to be counted by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill(..) => "kill -9 of an instance",
            Self::Freeze(..) => "an instance frozen",
            Self::Leave(..) => "an instance left and came back",
            Self::BrokerKill(_) => "kill -9 of the broker",
            Self::Cut(_) => "connections to the broker cut",
            Self::Slow(_) => "a slow network",
            Self::SinkAway(_) => "Elasticsearch away",
            Self::RegistryAway(_) => "the registry away",
            Self::DiskFull(..) => "a full disk",
        }
    }

    /// Draws one; `spared` are the names of those that may not happen.
    pub(super) fn draw(chance: &mut Chance, instances: usize, spared: &[String]) -> Self {
        loop {
            let fault = Self::draw_any(chance, instances);
            if !spared.iter().any(|spared| fault.name().contains(spared.as_str())) {
                return fault;
            }
        }
    }

    fn draw_any(chance: &mut Chance, instances: usize) -> Self {
        let who = usize::try_from(chance.between(0, instances as u64)).expect("a small number");
        let mut for_ms = |low, high| Duration::from_millis(chance.between(low, high));
        let (short, long) = (for_ms(100, 3_000), for_ms(1_000, 14_000));
        match chance.between(0, 17) {
            0..5 => Self::Kill(who, short),
            5..7 => Self::Freeze(who, long),
            7..9 => Self::Leave(who, short),
            9..10 => Self::BrokerKill(short),
            10..12 => Self::Cut(short * 2),
            12 => Self::Slow(long / 2),
            13 => Self::SinkAway(short),
            14 => Self::RegistryAway(long),
            _ => Self::DiskFull(who, short),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(who, time)
            | Self::Freeze(who, time)
            | Self::Leave(who, time)
            | Self::DiskFull(who, time) => {
                write!(f, "{} ({who}, {} ms)", self.name(), time.as_millis())
            }
            Self::BrokerKill(time)
            | Self::Cut(time)
            | Self::Slow(time)
            | Self::SinkAway(time)
            | Self::RegistryAway(time) => {
                write!(f, "{} ({} ms)", self.name(), time.as_millis())
            }
        }
    }
}
