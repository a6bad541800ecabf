//! Threads that come and go while an application runs, and its rest: added, removed, paused, resumed. Owns how the user asks
//! for it; who gets which task is the control thread's.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::error::StreamsError;
use super::launch::run_thread;
use super::shared::{THREADS_MAX, ThreadReport};
use super::status::ApplicationState;
use super::streams::{RunningStreams, StreamsHandle};
use super::thread::{Command, StreamThread};
use crate::client::ClientError;

/// What the control thread is told of stream threads.
pub(crate) enum Crew {
    /// This one has begun.
    Add { thread: usize, commands: Sender<Command> },
    /// This one is to end when its tasks are with others.
    Remove { thread: usize },
}

impl RunningStreams {
    /// Begins one more stream thread, and gives its number. Tasks move to it from threads that have more than it; other
    /// instances learn of it, and may hand some of theirs over. `None` unless the application runs, or is rebalancing.
    ///
    /// ```
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default());
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 2, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// let mut running = KafkaStreams::new(topology, StreamsConfig::new("app"), log).start()?;
    /// assert_eq!(running.add_thread()?, Some(1));
    /// assert_eq!(running.threads(), 2);
    /// assert_eq!(running.remove_thread(Duration::from_secs(10))?, Some(1));
    /// assert_eq!(running.remove_thread(Duration::from_secs(10))?, None, "the last one stays");
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok::<(), StreamsError>(())
    /// ```
    ///
    /// # Errors
    /// When its clients cannot be made, the operating system has no thread left, or 64 numbers are used up.
    pub fn add_thread(&mut self) -> Result<Option<usize>, StreamsError> {
        let shared = Arc::clone(&self.handle.shared);
        let is_on = matches!(shared.state(), ApplicationState::Running | ApplicationState::Rebalancing);
        let (Some(threads), Some(ends), true) = (&mut self.threads, &self.ends, is_on) else {
            return Ok(None);
        };
        let number = threads.stream.iter().position(Option::is_none).unwrap_or(threads.stream.len());
        if number >= THREADS_MAX {
            let reason = format!("an instance has {THREADS_MAX} stream threads at most");
            return Err(ClientError::Fatal { operation: "adding a thread", reason }.into());
        }
        let application = Arc::clone(&self.handle.application);
        let (sender, receiver) = crossbeam_channel::unbounded();
        let ends = ends.thread(&shared, receiver);
        let thread = StreamThread::new(number, Arc::clone(&application), ends)?;
        let run = Box::new(move || run_thread(number, thread, &shared));
        let spawned = application.threads.spawn(format!("stream-{number}"), run);
        let spawned = Some(spawned.map_err(StreamsError::Thread)?);
        match threads.stream.get_mut(number) {
            Some(slot) => (*slot, self.commands[number]) = (spawned, sender.clone()),
            None => {
                threads.stream.push(spawned);
                self.commands.push(sender.clone());
            }
        }
        // A control thread that has ended has told why.
        let _ = self.crew.send(Crew::Add { thread: number, commands: sender });
        Ok(Some(number))
    }

    /// Ends one stream thread, the last one that was added, after its tasks have gone to the others; gives its number.
    /// `None` where it is the only one, and when the deadline passes first: then it ends later.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let mut running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert_eq!(running.remove_thread(Duration::from_secs(10))?, None, "the only one");
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn remove_thread(&mut self, deadline: Duration) -> Result<Option<usize>, StreamsError> {
        let Some(threads) = self.threads.as_mut().filter(|_| self.ends.is_some()) else { return Ok(None) };
        let last = threads.stream.iter().rposition(Option::is_some);
        let count = threads.stream.iter().flatten().count();
        let Some(number) = last.filter(|_| count > 1) else { return Ok(None) };
        // A control thread that has ended has told why.
        let _ = self.crew.send(Crew::Remove { thread: number });
        let Some(spawned) = threads.stream[number].take() else { return Ok(None) };
        let application = &self.handle.application;
        let until = application.clock.monotonic() + deadline;
        while !spawned.is_finished() && application.clock.monotonic() < until {
            application.threads.sleep(Duration::from_millis(2));
        }
        if !spawned.is_finished() {
            threads.leaving.push(spawned);
            return Ok(None);
        }
        spawned.join();
        self.handle.shared.set_pulse(number, None);
        self.handle.shared.report(number, ThreadReport::default());
        Ok(Some(number))
    }

    /// How many stream threads there are.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert_eq!(running.threads(), 1);
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.as_ref().map_or(0, |threads| threads.stream.iter().flatten().count())
    }

    /// Pauses processing (KIP-834): no record is processed and nothing is punctuated until [`resume`](Self::resume). Tasks
    /// stay here, are restored if they are not yet, and commit what was done; queries are answered.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// running.pause();
    /// assert!(running.handle().status().is_paused);
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    pub fn pause(&self) {
        self.handle.pause();
    }

    /// Goes on after a [`pause`](Self::pause).
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// running.pause();
    /// running.resume();
    /// assert!(!running.handle().is_paused());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    pub fn resume(&self) {
        self.handle.resume();
    }
}

impl StreamsHandle {
    /// As [`RunningStreams::pause`].
    ///
    /// ```
    /// use candlewick::StreamsHandle;
    /// /// For whom the outputs are too much just now.
    /// fn hold(streams: &StreamsHandle, is_full: bool) {
    ///     if is_full { streams.pause() } else { streams.resume() }
    /// }
    /// # let _ = hold;
    /// ```
    pub fn pause(&self) {
        tracing::info!("processing is paused");
        self.shared.set_paused(true);
    }

    /// As [`RunningStreams::resume`].
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// let handle = running.handle();
    /// handle.pause();
    /// handle.resume();
    /// assert!(!handle.is_paused());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    pub fn resume(&self) {
        tracing::info!("processing is resumed");
        self.shared.set_paused(false);
    }

    /// Whether processing is paused.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// running.pause();
    /// assert!(running.handle().is_paused());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused()
    }
}
