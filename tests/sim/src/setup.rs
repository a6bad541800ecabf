//! What a seed stands for: an application, its instances, its input, and what happens to them when. Pure.

use std::time::Duration;

use candlewick::client::Call;
use candlewick::{Guarantee, StreamsConfig};

use crate::chance::Chance;
use crate::stage::Trap;
use crate::work::{APPLICATION, Input, Kind, inputs};

/// The wall clock at the beginning.
pub(crate) const WALL_START: i64 = 1_700_000_000_000;

/// What an instance finds when its process is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its folder, as it left it.
    Folder,
    /// An empty disk.
    Nothing,
    /// A copy of its folder from an earlier moment.
    Copy,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Start(usize),
    Feed,
    /// Now, or at a call.
    Crash(usize, Option<Trap>),
    /// The trap was not met: now.
    CrashLate(usize, usize),
    Stop(usize),
    Freeze(usize, Duration),
    Jump(Duration),
    Fence,
    Away(Duration),
    CopyFolder(usize),
    Look,
}

/// A simulation before it begins.
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    pub(crate) config: StreamsConfig,
    pub(crate) partitions: i32,
    pub(crate) slots: usize,
    pub(crate) has_folders: bool,
    /// Tables are restored from their topics.
    pub(crate) reuses_sources: bool,
    pub(crate) inputs: Vec<Input>,
    pub(crate) sent_twice: u64,
    pub(crate) events: Vec<(Duration, Event)>,
    /// Nothing fails from then on.
    pub(crate) until: Duration,
}

/// The calls at which processes are killed, under each guarantee.
const CALLS: [&[Call]; 2] = [
    &[Call::Deliver, Call::Flush, Call::Commit, Call::Poll, Call::Committed, Call::Watermarks, Call::Assign],
    &[
        // What was delivered before has been written, and is never committed: what restoring it must pass over.
        Call::Deliver,
        Call::Deliver,
        Call::Deliver,
        Call::Deliver,
        Call::Deliver,
        Call::Register,
        Call::Begin,
        Call::SendOffsets,
        Call::CommitTransaction,
        Call::CommitTransaction,
        Call::CommitTransaction,
        Call::AbortTransaction,
        Call::Poll,
        Call::Committed,
        Call::Watermarks,
        Call::Assign,
    ],
];

/// One seed in so many keeps state on a disk.
const FOLDERS_ONCE_IN: u64 = 10;

impl Setup {
    pub(crate) fn draw(chance: &mut Chance, seed: u64) -> Self {
        let exactly_once = seed % 4 != 3;
        let kind = Kind::of(exactly_once, if exactly_once { seed - seed / 4 } else { seed / 4 });
        let partitions = i32::try_from(chance.between(2, 5)).expect("small");
        let slots = chance.place(2) + 2;
        let count = chance.between(150, 700);
        let (inputs, sent_twice) = inputs(chance, kind, count, partitions, WALL_START);
        let has_folders = chance.once_in(FOLDERS_ONCE_IN);
        let config = config(chance, exactly_once);
        let until = Duration::from_millis(chance.between(3_500, 6_000));
        let mut setup = Self {
            kind,
            config,
            partitions,
            slots,
            has_folders,
            reuses_sources: matches!(kind, Kind::Tables | Kind::Foreign) && chance.once_in(2),
            inputs,
            sent_twice,
            events: Vec::new(),
            until,
        };
        setup.schedule(chance);
        setup
    }

    fn schedule(&mut self, chance: &mut Chance) {
        let until = u64::try_from(self.until.as_millis()).expect("short");
        let at = Duration::from_millis;
        let slot = |chance: &mut Chance, slots: usize| chance.place(slots);
        let exactly_once = self.config.guarantee == Guarantee::ExactlyOnce;
        let calls = CALLS[usize::from(exactly_once)];
        self.events.push((Duration::ZERO, Event::Start(0)));
        for other in 1..self.slots {
            self.events.push((at(chance.below(1_500)), Event::Start(other)));
        }
        let feeds = chance.between(10, 40);
        self.events.extend((0..feeds).map(|n| (at(50 + n * (until - 800) / feeds), Event::Feed)));
        for _ in 0..chance.between(1, 4) {
            let trap = (!chance.once_in(3)).then(|| {
                let call = calls[chance.place(calls.len())];
                let has_after = !matches!(call, Call::Begin | Call::Assign | Call::Deliver | Call::Poll);
                Trap { call, after: has_after && chance.once_in(2), skip: chance.below(5) }
            });
            let when = chance.between(400, until - 200);
            self.events.push((at(when), Event::Crash(slot(chance, self.slots), trap)));
        }
        if chance.once_in(2) {
            self.events.push((at(chance.between(500, until)), Event::Stop(slot(chance, self.slots))));
        }
        // Under at-least-once nothing fences a process that wakes up after its session: it may write once more what
        // somebody else has brought further since. Kafka Streams promises no more.
        let session = self.config.session_timeout_ms;
        let silence_max = if exactly_once { u64::MAX } else { session / 3 };
        for _ in 0..chance.below(3) {
            let long = exactly_once && chance.once_in(2);
            let ms = if long { session + chance.below(2_000) } else { chance.between(50, session / 3) };
            let event = Event::Freeze(slot(chance, self.slots), at(ms));
            self.events.push((at(chance.between(300, until)), event));
        }
        if chance.once_in(3) {
            self.events.push((
                at(chance.between(300, until)),
                Event::Jump(at(chance.between(100, 4_000).min(silence_max))),
            ));
        }
        for _ in 0..chance.below(3) {
            self.events.push((at(chance.between(300, until)), Event::Fence));
        }
        if chance.once_in(3) {
            self.events.push((
                at(chance.between(300, until)),
                Event::Away(at(chance.between(50, 1_500).min(silence_max))),
            ));
        }
        if self.has_folders {
            self.events.push((at(chance.between(300, until)), Event::CopyFolder(slot(chance, self.slots))));
        }
        self.events.push((at(50), Event::Look));
    }
}

fn config(chance: &mut Chance, exactly_once: bool) -> StreamsConfig {
    StreamsConfig {
        guarantee: if exactly_once { Guarantee::ExactlyOnce } else { Guarantee::AtLeastOnce },
        threads: chance.place(2) + 1,
        commit_interval_ms: Some(chance.between(30, 250)),
        cache_bytes_max: if chance.once_in(2) { 0 } else { 1 << 20 },
        poll_ms: chance.between(10, 100),
        poll_records_max: chance.place(150) + 5,
        buffered_records_max: chance.place(150) + 5,
        session_timeout_ms: chance.between(600, 1_800),
        // Longer than anything may take: nobody may have to wait for it.
        transaction_timeout_ms: 120_000,
        request_timeout_ms: 2_000,
        standby_replicas: chance.place(3),
        warmup_replicas_max: chance.place(3),
        acceptable_recovery_lag: i64::try_from(chance.below(30)).expect("small"),
        scheduled_rebalance_delay_ms: if chance.once_in(4) { 400 } else { 0 },
        task_stuck_after_ms: 20_000,
        ..StreamsConfig::new(APPLICATION)
    }
}
