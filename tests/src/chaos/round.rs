//! One round: a fresh application on fresh topics, fed while faults happen, healed, and judged. Owns the order of things.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{Log, NewTopic};
use candlewick_connectors::avro::AvroSerde;

use super::fault::Fault;
use super::feed::{PARTITIONS, feed};
use super::instance::Instance;
use super::judge::{Candles, Verdict};
use super::world::World;
use crate::chance::Chance;
use crate::shipped::{Recording, candles, documents, predicted_ids};

const INSTANCES: usize = 3;
/// Trades a second that are written.
const RATE: u32 = 5_000;
/// A round has this many faults at least, however short its input.
const FAULTS_MIN: usize = 4;
const MINUTE: i64 = 60_000;
/// How long everything may take to come out once nothing fails any more: a session timeout, a transaction timeout, and
/// time to catch up.
const HEALED_WITHIN: Duration = Duration::from_secs(150);
/// How long nothing more may come once everything is there.
const QUIET: Duration = Duration::from_secs(3);

/// What a round came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Trades that were written.
    pub records: u64,
    /// What was found.
    pub verdict: Verdict,
    /// How often each fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// The last words of instances that ended by themselves.
    pub ended: Vec<String>,
    /// From the last fault's end to the last result.
    pub healing: Duration,
}

/// Plays a round of `records` trades with the faults of `seed`, without those whose names contain a word that is spared.
///
/// # Panics
/// When the harness itself fails: topics that cannot be made, an input that cannot be written.
pub fn play(
    world: &World,
    seed: u64,
    records: u64,
    spared: &[String],
    tell: &mut dyn FnMut(String),
) -> Outcome {
    let name = format!("chaos{seed}-{}", std::process::id());
    let topics = Topics::make(world, &name);
    let minutes = 100;
    let per_minute = i64::try_from(records).expect("a few million at most") / minutes;
    let now = i64::try_from(unix_now().as_millis()).expect("this millennium");
    let start = (now / MINUTE - minutes - 10) * MINUTE;
    let recording = Recording::of_many(40, seed, start, minutes, per_minute);
    let expected = recording.candles(MINUTE);
    // Every other round with a standby of each task.
    let arguments = topics.arguments(world, &name, seed % 2);
    let mut instances: Vec<Instance> = (0..INSTANCES)
        .map(|n| Instance::start(world.folder.join(format!("{name}-{n}")), &arguments))
        .collect();
    let serde = AvroSerde::new(world.registry.clone()).expect("a serde");
    let mut spared = spared.to_vec();
    if instances.iter().any(|instance| instance.disk.is_none()) {
        spared.push("a full disk".to_owned());
    }
    let is_fed = AtomicBool::new(false);
    let mut faults = BTreeMap::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            feed(&*world.log, &serde, &topics.input, &recording, RATE);
            is_fed.store(true, Ordering::Release);
        });
        let mut chance = Chance::new(seed);
        let mut count = 0;
        while count < FAULTS_MIN || !is_fed.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(chance.between(500, 4_000)));
            let fault = Fault::draw(&mut chance, INSTANCES, &spared);
            tell(format!("seed {seed}: {fault}"));
            happen(world, fault, &mut instances);
            *faults.entry(fault.name()).or_default() += 1;
            count += 1;
        }
    });
    let healed = Instant::now();
    let mut verdict = settle(world, &topics, &expected, &mut instances);
    let healing = healed.elapsed();
    for instance in &mut instances {
        instance.leave();
    }
    let ended: Vec<String> = instances.iter().flat_map(|instance| instance.ended.clone()).collect();
    if verdict.is_clean() {
        topics.delete(world);
        for n in 0..INSTANCES {
            // What is left behind costs room and nothing else.
            let _ = std::fs::remove_dir_all(world.folder.join(format!("{name}-{n}")));
        }
    } else {
        let logs = instances.iter().map(|instance| instance.log().lines().count()).sum::<usize>();
        verdict.differences.push(format!("{logs} log lines lie in {}/{name}-*", world.folder.display()));
    }
    Outcome { records: recording.len() as u64, verdict, faults, ended, healing }
}

/// Brings a fault about and mends it.
fn happen(world: &World, fault: Fault, instances: &mut [Instance]) {
    let pause = |time| std::thread::sleep(time);
    match fault {
        Fault::Kill(who, time) => {
            instances[who].kill();
            pause(time);
        }
        Fault::Freeze(who, time) => {
            instances[who].signal("-STOP");
            pause(time);
            instances[who].signal("-CONT");
        }
        Fault::Leave(who, time) => {
            instances[who].leave();
            pause(time);
        }
        Fault::BrokerKill(time) => {
            world.kafka.kill();
            pause(time);
            world.kafka.restart();
        }
        Fault::Cut(time) => {
            world.network.shut();
            pause(time);
            world.network.open();
        }
        Fault::Slow(time) => {
            world.network.slow_down(Duration::from_millis(40));
            pause(time);
            world.network.slow_down(Duration::ZERO);
        }
        Fault::RegistryAway(time) => {
            world.registry_door.shut();
            // Who needs it is whoever starts.
            if let Some(instance) = instances.last_mut() {
                instance.kill();
                instance.revive();
            }
            pause(time);
            world.registry_door.open();
        }
        Fault::DiskFull(who, time) => {
            if let Some(disk) = &instances[who].disk {
                disk.fill();
                pause(time);
                disk.clear();
            }
        }
        Fault::SinkAway(time) => {
            if let Some((_, door)) = &world.elasticsearch {
                door.shut();
                pause(time);
                door.open();
            }
        }
    }
    for instance in instances {
        instance.revive();
    }
}

/// Waits until everything is there, and then whether more comes.
fn settle(world: &World, topics: &Topics, expected: &Candles, instances: &mut [Instance]) -> Verdict {
    let until = Instant::now() + HEALED_WITHIN;
    loop {
        for instance in &mut *instances {
            instance.revive();
        }
        let verdict = judge(world, topics, expected);
        if verdict.lost == 0 || Instant::now() > until {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(QUIET);
    judge(world, topics, expected)
}

fn judge(world: &World, topics: &Topics, expected: &Candles) -> Verdict {
    let found = candles(&*world.log, &world.registry, &topics.candles);
    let mut verdict = Verdict::of_candles(expected, &found);
    if let Some((url, _)) = &world.elasticsearch {
        verdict.add_documents(&predicted_ids(expected), &documents(url, &topics.predictions));
    }
    verdict
}

struct Topics {
    input: String,
    candles: String,
    predictions: String,
}

impl Topics {
    fn make(world: &World, name: &str) -> Self {
        let topics = Self {
            input: format!("{name}-trades"),
            candles: format!("{name}-candles"),
            predictions: format!("{name}-predictions"),
        };
        let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let input = NewTopic { name: topics.input.clone(), partitions: PARTITIONS, replication: 1, config };
        let mut admin = world.log.admin().expect("an administrator");
        admin.create(&[input], Duration::from_secs(60)).expect("the input topic is made");
        topics
    }

    fn arguments(&self, world: &World, name: &str, standbys: u64) -> Vec<String> {
        let pipeline = if world.elasticsearch.is_some() { "market" } else { "candles" };
        let prefix = format!("{name}-");
        let mut arguments = vec!["run", "--no-source", "--no-server", "--intervals", "1m"];
        arguments.extend(["--pipeline", pipeline, "--guarantee", "exactly-once"]);
        arguments.extend(["--brokers", world.kafka.bootstrap(), "--registry", world.registry_door.url()]);
        arguments.extend(["--application-id", name, "--input", &self.input, "--output-prefix", &prefix]);
        let config = world.folder.join(format!("{name}.toml"));
        std::fs::write(&config, format!("standby-replicas = {standbys}\n")).expect("a small file");
        let config = config.display().to_string();
        arguments.extend(["--config", &config]);
        let model = world.folder.join("model").display().to_string();
        if let Some((_, door)) = &world.elasticsearch {
            arguments.extend(["--elasticsearch", door.url(), "--model-dir", &model]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    fn delete(&self, world: &World) {
        let prefix = self.input.trim_end_matches("trades");
        let mut admin = world.log.admin().expect("an administrator");
        let names = admin.topics(Duration::from_secs(30)).unwrap_or_default();
        let ours: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| name.starts_with(prefix)).collect();
        // What is left behind costs room and nothing else.
        let _ = admin.delete(&ours, Duration::from_secs(30));
    }
}

fn unix_now() -> Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
