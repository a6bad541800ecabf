//! Several instances of one application on one embedded log: who runs what, and that nothing is lost or counted twice when
//! instances come, go, crash and sleep. Instances run in this process, each behind a log that can stop it between any two
//! calls: for good, as `kill -9` would, or for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, Producer, ProducerSettings, StartAt,
};
use candlewick::{
    ApplicationState, Consumed, Grouped, Guarantee, Headers, I64Serde, KafkaStreams, Materialized, Partition,
    Produced, RunningStreams, Serde, StreamsBuilder, StreamsConfig, TaskPhase, Timestamp, TopicPartition,
    Topology,
};

mod leash;

use leash::{Leash, LeashedLog, Pace};

const TIMEOUT: Duration = Duration::from_secs(30);
const PARTITIONS: i32 = 4;
const KEYS: u64 = 40;
const SESSION: Duration = Duration::from_millis(1_500);
/// A crash costs the session timeout plus the takeover, and not the ten seconds after which the log would end a
/// transaction by itself.
const SUCCESSION_MAX: Duration = Duration::from_millis(1_500 + 5_000);

/// Counts records by key, over a repartition topic: two sub-topologies, and offsets, changelog and output in one commit.
fn counting() -> Topology {
    let builder = StreamsBuilder::new();
    builder
        .stream("words", Consumed::<String, String>::default())
        .group_by(|_, word| word.clone(), Grouped::default())
        .count(Materialized::named("counts"))
        .to_stream()
        .to("totals", Produced::default());
    builder.build().expect("valid")
}

struct Instance {
    running: RunningStreams,
    leash: Arc<Leash>,
}

/// An application on a log, what was written to it, and its instances.
struct Stage {
    log: Arc<EmbeddedLog>,
    producer: Box<dyn Producer>,
    guarantee: Guarantee,
    written: u64,
}

impl Stage {
    fn new(guarantee: Guarantee) -> Self {
        let log = EmbeddedLog::in_memory();
        let topic = |name: &str| NewTopic {
            name: name.into(),
            partitions: PARTITIONS,
            replication: 1,
            config: BTreeMap::default(),
        };
        log.admin().expect("admin").create(&[topic("words"), topic("totals")], TIMEOUT).expect("created");
        let producer = log.producer(&ProducerSettings::default()).expect("producer");
        Self { log, producer, guarantee, written: 0 }
    }

    fn config(&self) -> StreamsConfig {
        StreamsConfig {
            guarantee: self.guarantee,
            threads: 2,
            commit_interval_ms: Some(100),
            cache_bytes_max: 0,
            poll_ms: 20,
            session_timeout_ms: u64::try_from(SESSION.as_millis()).expect("short"),
            ..StreamsConfig::new("counting")
        }
    }

    fn start(&self) -> Instance {
        self.start_with(counting(), self.config())
    }

    fn start_with(&self, topology: Topology, config: StreamsConfig) -> Instance {
        launch(&self.log, topology, config)
    }

    fn write(&mut self, count: u64) {
        let topic = self.producer.topic("words").expect("topic");
        for n in self.written..self.written + count {
            let partition = Partition(i32::try_from(n % 4).expect("small"));
            let time = Timestamp(i64::try_from(n).expect("small"));
            let (key, value) = (n.to_string(), format!("w{}", n % KEYS));
            let record = OutgoingRecord {
                topic,
                partition,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &Headers::default(),
                timestamp: time,
            };
            self.producer.send(record).expect("sent");
        }
        self.producer.flush(TIMEOUT).expect("flushed");
        self.written += count;
    }

    /// Writes steadily for a while.
    fn write_for(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            self.write(20);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How often each word was written.
    fn expected(&self) -> BTreeMap<String, i64> {
        let mut expected = BTreeMap::new();
        (0..self.written).for_each(|n| *expected.entry(format!("w{}", n % KEYS)).or_default() += 1);
        expected
    }

    /// Reads the committed output until every word has its total. Without a cache each record makes one output, so under
    /// exactly-once each word's outputs must be 1, 2, 3 and so on to its total, each once.
    fn check(&self) {
        let mut consumer = self.log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
        let starts: Vec<_> =
            (0..PARTITIONS).map(|p| (TopicPartition::new("totals", p), StartAt::Beginning)).collect();
        consumer.assign(&starts).expect("assigned");
        let expected = self.expected();
        let deadline = Instant::now() + TIMEOUT;
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut batch = PolledBatch::default();
        let mut quiet = 0;
        loop {
            consumer.poll(10_000, Duration::from_millis(100), &mut batch).expect("polled");
            let is_quiet = batch.runs.is_empty();
            for record in batch.runs.iter().flat_map(|run| run.iter()) {
                let word = String::from_utf8(record.key.expect("a key").to_vec()).expect("UTF-8");
                let total = I64Serde.deserialize("totals", record.value.expect("a value")).expect("a number");
                found.entry(word).or_default().push(total);
            }
            let last: BTreeMap<String, i64> =
                found.iter().map(|(word, totals)| (word.clone(), totals[totals.len() - 1])).collect();
            let exactly = self.guarantee == Guarantee::ExactlyOnce;
            let is_there = if exactly {
                last == expected
            } else {
                expected.iter().all(|(word, total)| last.get(word).is_some_and(|last| last >= total))
            };
            quiet = if is_there && is_quiet { quiet + 1 } else { 0 };
            if quiet == 5 {
                if exactly {
                    for (word, totals) in &found {
                        let all: Vec<i64> = (1..=expected[word]).collect();
                        assert_eq!(*totals, all, "{word}");
                    }
                }
                return;
            }
            assert!(Instant::now() < deadline, "expected {expected:?}, found {last:?}");
        }
    }
}

fn launch(log: &Arc<EmbeddedLog>, topology: Topology, config: StreamsConfig) -> Instance {
    let leash = Arc::new(Leash::default());
    let log = LeashedLog { leash: Arc::clone(&leash), log: Arc::clone(log) };
    let running = KafkaStreams::new(topology, config, Arc::new(log)).start().expect("started");
    Instance { running, leash }
}

impl Instance {
    fn tasks(&self) -> Vec<String> {
        let running = self.running.handle().status().tasks;
        running.into_iter().filter(|task| task.phase == TaskPhase::Running).map(|task| task.id).collect()
    }

    /// Ends it between two calls, as `kill -9` would: nothing is left in good order.
    fn kill(self) {
        self.leash.set(Pace::Dead);
        std::mem::forget(self.running);
    }

    fn stop(self) {
        self.running.stop(TIMEOUT).expect("stopped in good order");
    }

    fn assert_well(&self) {
        assert_eq!(self.running.handle().error(), None);
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    wait_until_within(TIMEOUT, what, holds);
}

fn wait_until_within(max: Duration, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + max;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Both run their half of both sub-topologies, and nothing twice.
fn is_shared(a: &Instance, b: &Instance) -> bool {
    let (mine, theirs) = (a.tasks(), b.tasks());
    let mut all = [mine.clone(), theirs.clone()].concat();
    all.sort();
    let every: Vec<String> =
        (0..2).flat_map(|sub| (0..PARTITIONS).map(move |p| format!("{sub}_{p}"))).collect();
    all == every && mine.len() == theirs.len()
}

#[test]
fn a_lone_instance_has_its_tasks_at_once() {
    let stage = Stage::new(Guarantee::ExactlyOnce);
    let before = Instant::now();
    let instance = stage.start();
    wait_until("it runs", || instance.running.state() == ApplicationState::Running);
    let took = before.elapsed();
    assert_eq!(instance.tasks().len(), 8);
    println!("a lone instance ran all its tasks after {took:?}");
    // Ten times what it takes on an idle machine.
    assert!(took < Duration::from_secs(3), "{took:?}");
    instance.stop();
}

#[test]
fn two_that_join_at_once_share_the_tasks_and_one_that_leaves_hands_over() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let mut stage = Stage::new(guarantee);
        stage.write(500);
        let (a, b) = std::thread::scope(|scope| {
            let (log, config) = (&stage.log, stage.config());
            let first = scope.spawn(move || launch(log, counting(), config));
            let second = stage.start();
            (first.join().expect("started"), second)
        });
        wait_until("they share", || is_shared(&a, &b));
        stage.write_for(Duration::from_millis(300));
        let before = Instant::now();
        a.stop();
        wait_until("the other has all", || b.tasks().len() == 8);
        println!("{guarantee:?}: handed over in {:?}", before.elapsed());
        stage.write_for(Duration::from_millis(300));
        stage.check();
        b.assert_well();
        b.stop();
    }
}

#[test]
fn a_killed_instance_is_fenced_and_succeeded_whether_it_leads_or_not() {
    for leads in [true, false] {
        for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
            let mut stage = Stage::new(guarantee);
            let first = stage.start();
            wait_until("the first leads", || first.tasks().len() == 8);
            let second = stage.start();
            wait_until("they share", || is_shared(&first, &second));
            stage.write_for(Duration::from_millis(500));
            let (victim, heir) = if leads { (first, second) } else { (second, first) };
            let before = Instant::now();
            victim.kill();
            stage.write_for(Duration::from_millis(500));
            wait_until_within(SUCCESSION_MAX, "the other has all", || heir.tasks().len() == 8);
            println!("{guarantee:?}, leader={leads}: succeeded after {:?}", before.elapsed());
            stage.write_for(Duration::from_millis(200));
            stage.check();
            heir.assert_well();
            heir.stop();
        }
    }
}

/// Whoever sleeps, between whichever two calls of a commit, has lost what it was about to commit.
#[test]
fn one_that_wakes_up_after_it_was_succeeded_commits_nothing_of_before() {
    let mut stage = Stage::new(Guarantee::ExactlyOnce);
    let first = stage.start();
    wait_until("the first leads", || first.tasks().len() == 8);
    let second = stage.start();
    wait_until("they share", || is_shared(&first, &second));
    let calls =
        ["send_offsets", "commit_transaction", "metadata", "begin_transaction", "acknowledged", "poll"];
    for (round, call) in calls.into_iter().enumerate() {
        let (sleeper, awake) = if round % 2 == 0 { (&second, &first) } else { (&first, &second) };
        stage.write_for(Duration::from_millis(200));
        sleeper.leash.sleep_before(call);
        stage.write_for(Duration::from_millis(200));
        wait_until("it sleeps", || sleeper.leash.is_asleep());
        wait_until_within(SUCCESSION_MAX, "the other has all", || awake.tasks().len() == 8);
        stage.write_for(Duration::from_millis(200));
        sleeper.leash.set(Pace::Runs);
        wait_until("they share again", || is_shared(&first, &second));
    }
    stage.check();
    first.assert_well();
    second.assert_well();
    first.stop();
    second.stop();
}

#[test]
fn one_that_joins_every_second_disturbs_no_total() {
    let mut stage = Stage::new(Guarantee::ExactlyOnce);
    // Stores on disk: what comes back finds its own as it left it, and replays the rest.
    let folders = tempfile::tempdir().expect("a temporary folder");
    let config =
        |name: String| StreamsConfig { state_dir: Some(folders.path().join(name)), ..stage.config() };
    let configs: Vec<StreamsConfig> = (0..3).map(|n| config(format!("host-{n}"))).collect();
    let steady = stage.start_with(counting(), configs[0].clone());
    stage.write_for(Duration::from_millis(300));
    for round in 0..6 {
        // The third guest is killed; its folder stays locked as long as this process lives.
        let host = 1 + round / 3;
        let guest = stage.start_with(counting(), configs[host].clone());
        stage.write_for(Duration::from_millis(600));
        if round % 3 == 2 {
            guest.kill()
        } else {
            guest.stop()
        }
        stage.write_for(Duration::from_millis(400));
        steady.assert_well();
    }
    stage.check();
    steady.assert_well();
    steady.stop();
}

#[test]
fn another_version_gets_no_task_until_one_like_it_leads() {
    let mut stage = Stage::new(Guarantee::ExactlyOnce);
    let old = stage.start();
    wait_until("the old one has all", || old.tasks().len() == 8);
    let builder = StreamsBuilder::new();
    builder
        .stream("words", Consumed::<String, String>::default())
        .filter(|_, word| !word.is_empty())
        .group_by(|_, word| word.clone(), Grouped::default())
        .count(Materialized::named("counts"))
        .to_stream()
        .to("totals", Produced::default());
    let new = stage.start_with(builder.build().expect("valid"), stage.config());
    stage.write_for(Duration::from_millis(600));
    assert_eq!((old.tasks().len(), new.tasks().len()), (8, 0));
    old.stop();
    wait_until("the new one has all", || new.tasks().len() == 8);
    stage.write_for(Duration::from_millis(200));
    stage.check();
    new.stop();
}

/// Like [`counting`], with something that looks at every word; its plan is the same whatever looks.
fn watched(look: impl Fn(&String) + Send + Sync + 'static) -> Topology {
    let builder = StreamsBuilder::new();
    builder
        .stream("words", Consumed::<String, String>::default())
        .peek(move |_, word| look(word))
        .group_by(|_, word| word.clone(), Grouped::default())
        .count(Materialized::named("counts"))
        .to_stream()
        .to("totals", Produced::default());
    builder.build().expect("valid")
}

#[test]
fn an_instance_with_a_thread_that_panics_gives_all_its_tasks_to_the_others() {
    let mut stage = Stage::new(Guarantee::ExactlyOnce);
    // One of these words comes to each partition.
    let look = |word: &String| assert!(!["w4", "w5", "w6", "w7"].contains(&word.as_str()), "{word}");
    let first = stage.start_with(watched(look), stage.config());
    wait_until("it has all", || first.tasks().len() == 8);
    let second = stage.start_with(watched(|_| {}), stage.config());
    wait_until("they share", || is_shared(&first, &second));
    stage.write_for(Duration::from_millis(300));
    wait_until_within(SUCCESSION_MAX, "the other has all", || second.tasks().len() == 8);
    assert_eq!(first.running.state(), ApplicationState::PendingError);
    stage.check();
    assert!(first.running.stop(Duration::from_secs(5)).is_err());
    second.assert_well();
    second.stop();
}

#[test]
fn a_thread_that_gives_nothing_up_in_time_ends_its_instance() {
    let mut stage = Stage::new(Guarantee::ExactlyOnce);
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let stuck = Arc::clone(&gate);
    let topology = watched(move |word| {
        let mut open = stuck.0.lock().expect("not poisoned");
        while word == "w0" && !*open {
            open = stuck.1.wait(open).expect("not poisoned");
        }
    });
    let config = StreamsConfig { task_stuck_after_ms: 500, ..stage.config() };
    let first = stage.start_with(topology, config);
    wait_until("it has all", || first.tasks().len() == 8);
    stage.write(100);
    std::thread::sleep(Duration::from_millis(200));
    let second = stage.start_with(watched(|_| {}), stage.config());
    wait_until("the stuck one has failed", || first.running.state() == ApplicationState::PendingError);
    let error = first.running.handle().error().expect("it says why");
    // That it hangs is noticed first, or that it gives nothing up.
    assert!(error.contains("stream thread") && error.contains("500ms"), "{error}");
    wait_until("the other has all", || second.tasks().len() == 8);
    // It wakes up, and can commit nothing any more.
    *gate.0.lock().expect("not poisoned") = true;
    gate.1.notify_all();
    stage.check();
    assert!(first.running.stop(Duration::from_secs(5)).is_err());
    second.assert_well();
    second.stop();
}
