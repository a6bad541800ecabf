//! The processes: how one starts, what it finds on its disk, and its life.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use candlewick::{ApplicationState, KafkaStreams};

use super::Play;
use crate::ports::{StageClock, StageThreads, log_of};
use crate::setup::Found;
use crate::stage::{self, Instance, Wake, on};

impl Play {
    pub(super) fn start(&mut self, slot: usize) {
        if self.stopping.is_some() || Self::in_slot(slot).is_some() {
            return;
        }
        let state_dir = self.prepare_folder(slot);
        let instance = on(|stage| {
            stage.instances.push(Instance::new(slot));
            stage.instances.len() - 1
        });
        let config = candlewick::StreamsConfig { state_dir, ..self.setup.config.clone() };
        let log = log_of(&self.log, instance);
        let (kind, reuses_sources) = (self.setup.kind, self.setup.reuses_sources);
        let main = move || {
            let streams = KafkaStreams::new(kind.topology(reuses_sources), config, log)
                .clock(Arc::new(StageClock))
                .threads(Arc::new(StageThreads { instance }));
            let ended = live(instance, streams);
            on(|stage| stage.instances[instance].ended = Some(ended));
        };
        on(|stage| {
            stage.spawn(instance, "main".to_owned(), Box::new(main));
            stage.tell(|| format!("instance {instance} (slot {slot}) starts"));
        });
        self.begin_spawned();
    }

    fn prepare_folder(&mut self, slot: usize) -> Option<PathBuf> {
        let root = self.folders.as_ref()?.path();
        let (folder, copy) = (root.join(slot.to_string()), root.join(format!("{slot}-copy")));
        if folder.exists() {
            let found = on(|stage| match stage.chance.below(4) {
                0 => Found::Nothing,
                1 if copy.exists() => Found::Copy,
                _ => Found::Folder,
            });
            let count = match found {
                Found::Folder => "restart with its state",
                Found::Nothing => {
                    std::fs::remove_dir_all(&folder).expect("it is ours");
                    "restart with nothing"
                }
                Found::Copy => {
                    std::fs::remove_dir_all(&folder).expect("it is ours");
                    copy_all(&copy, &folder);
                    "restart with an old copy of its state"
                }
            };
            on(|stage| stage.faults.count(count));
        }
        Some(folder)
    }

    pub(super) fn copy_folder(&mut self, slot: usize) {
        let Some(root) = self.folders.as_ref().map(|folders| folders.path()) else { return };
        let (folder, copy) = (root.join(slot.to_string()), root.join(format!("{slot}-copy")));
        if folder.exists() && !copy.exists() {
            copy_all(&folder, &copy);
        }
    }
}

/// The life of a process: as the shipped binary's, it ends when its application fails or when it is told to.
fn live(instance: usize, streams: KafkaStreams) -> Result<(), String> {
    let running = streams.start().map_err(|error| format!("it did not start: {error}"))?;
    on(|stage| stage.instances[instance].handle = Some(running.handle()));
    loop {
        let is_failing = matches!(running.state(), ApplicationState::PendingError | ApplicationState::Error);
        let (is_told, now) = on(|stage| (stage.instances[instance].is_told_to_stop, stage.now));
        if is_failing || is_told {
            return running.stop(Duration::from_secs(10)).map_err(|error| error.to_string());
        }
        stage::rest(now + Duration::from_millis(20), Wake::Nothing);
    }
}

/// A folder in memory, where there is one.
pub(super) fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("it is ours");
    for entry in std::fs::read_dir(from).expect("it is ours") {
        let entry = entry.expect("it is ours");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).expect("it is ours");
        }
    }
}
