//! The fixed processors that specs refer to by name, over the public Processor API.

use std::time::Duration;

use candlewick::{
    Context, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, KeyValueStore, ProcessError, Processor,
    ProcessorStores, Punctuation, PunctuationType, PunctuatorId, Record, StoreHandle, Timestamp,
};

use super::functions::{UnknownFunction, split};
use super::text::{Key, Value, number, or_null};

/// The stores that `add_store` makes.
pub(super) type TextStore = KeyValueStore<Key, Value>;
type Cx<'a> = Context<'a, Key, Value>;

/// What a named processor does.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// Forwards every record; a punctuator of either kind forwards its time and may end itself after some firings.
    Punctuate { stream_ms: Option<u64>, wall_ms: Option<u64>, firings_max: Option<u32> },
    /// The same at a time and every so often after it.
    PunctuateFrom { start: Timestamp, every_ms: u64, kind: PunctuationType },
    /// Appends how many records of the key there were.
    Count,
    /// Keeps the last value of each key and forwards all of them every so often.
    Buffer { every_ms: u64 },
    /// Forwards a value only when it differs from the key's last one.
    Dedup,
    /// Moves each record in time, never below 0.
    Shift { by_ms: i64 },
    /// Appends stream time as `process` sees it.
    StreamTime,
    /// Adds a header.
    Header { name: String, value: String },
    /// Fails where the value contains a text.
    FailOn { text: String },
}

/// The processor called `name:argument,argument`.
pub(super) fn behaviour(spec: &str) -> Result<Behaviour, UnknownFunction> {
    let (name, arguments) = split(spec);
    let arguments: Vec<&str> = arguments.split(',').collect();
    let at = |index: usize| arguments.get(index).copied().unwrap_or("");
    let signed = |index: usize| number(Some(at(index)));
    let positive = |index: usize| u64::try_from(signed(index)).unwrap_or(0);
    let firings = |index: usize| u32::try_from(signed(index)).ok();
    let punctuate =
        |stream_ms, wall_ms, firings_max| Behaviour::Punctuate { stream_ms, wall_ms, firings_max };
    let anchored =
        |kind| Behaviour::PunctuateFrom { start: Timestamp(signed(0)), every_ms: positive(1), kind };
    Ok(match name {
        "stream_punct" => punctuate(Some(positive(0)), None, None),
        "wall_punct" => punctuate(None, Some(positive(0)), None),
        "stream_punct_cancel" => punctuate(Some(positive(0)), None, firings(1)),
        "wall_punct_cancel" => punctuate(None, Some(positive(0)), firings(1)),
        "both_punct" => punctuate(Some(positive(0)), Some(positive(1)), None),
        "stream_punct_from" => anchored(PunctuationType::StreamTime),
        "wall_punct_from" => anchored(PunctuationType::WallClockTime),
        "count_store" => Behaviour::Count,
        "buffer" => Behaviour::Buffer { every_ms: positive(0) },
        "dedup" => Behaviour::Dedup,
        "ts_shift" => Behaviour::Shift { by_ms: signed(0) },
        "stream_time" => Behaviour::StreamTime,
        "header" => Behaviour::Header { name: at(0).to_owned(), value: at(1).to_owned() },
        "fail_on" => Behaviour::FailOn { text: at(0).to_owned() },
        _ => return Err(UnknownFunction::processor(spec)),
    })
}

/// One task's instance of a named processor.
pub(super) struct Named {
    behaviour: Behaviour,
    store: Option<StoreHandle<TextStore>>,
    scheduled: Vec<PunctuatorId>,
    fired: u32,
}

impl Named {
    /// With the first of `stores`, if any.
    pub(super) fn new(behaviour: Behaviour, stores: &[String], given: &ProcessorStores<'_>) -> Self {
        let store = stores.first().map(|name| given.get(name));
        Self { behaviour, store, scheduled: Vec::new(), fired: 0 }
    }

    fn handle(&self) -> StoreHandle<TextStore> {
        self.store.expect("the spec names a store for this processor")
    }

    /// The value with how many records of the key there were.
    fn count(
        store: &mut TextStore,
        key: &Key,
        value: &Value,
        time: Timestamp,
    ) -> Result<Value, ProcessError> {
        let key = Some(or_null(key.as_deref()).to_owned());
        let seen = store.get(&key)?.and_then(|entry| entry.value.clone());
        let seen = number(seen.as_deref()) + 1;
        store.put(key, Some(seen.to_string()), time)?;
        Ok(Some(format!("{}#{seen}", or_null(value.as_deref()))))
    }

    /// Whether a value is another than the key's last one.
    fn is_new(
        store: &mut TextStore,
        key: &Key,
        value: &Value,
        time: Timestamp,
    ) -> Result<bool, ProcessError> {
        let key = Some(or_null(key.as_deref()).to_owned());
        if store.get(&key)?.and_then(|entry| entry.value.clone()) == *value {
            return Ok(false);
        }
        keep(store, key, value.clone(), time)?;
        Ok(true)
    }

    fn release(&self, time: Timestamp, cx: &mut Cx<'_>) -> Result<(), ProcessError> {
        let mut held = Vec::new();
        cx.store(self.handle()).all(&mut held)?;
        for (key, entry) in held {
            cx.forward(Record::new(key.clone(), entry.value, time))?;
            cx.store(self.handle()).delete(&key, time)?;
        }
        Ok(())
    }
}

/// Puts a value, or deletes the key where the value is null.
pub(super) fn keep(
    store: &mut TextStore,
    key: Key,
    value: Value,
    time: Timestamp,
) -> Result<(), ProcessError> {
    match value {
        Some(value) => store.put(key, Some(value), time)?,
        None => drop(store.delete(&key, time)?),
    }
    Ok(())
}

impl Processor<Key, Value, Key, Value> for Named {
    fn init(&mut self, cx: &mut Cx<'_>) -> Result<(), ProcessError> {
        let (stream_ms, wall_ms) = match self.behaviour {
            Behaviour::Punctuate { stream_ms, wall_ms, .. } => (stream_ms, wall_ms),
            Behaviour::Buffer { every_ms } => (Some(every_ms), None),
            _ => (None, None),
        };
        if let Behaviour::PunctuateFrom { start, every_ms, kind } = self.behaviour {
            cx.schedule_from(start, Duration::from_millis(every_ms), kind);
        }
        let kinds = [(stream_ms, PunctuationType::StreamTime), (wall_ms, PunctuationType::WallClockTime)];
        for (every, kind) in kinds {
            self.scheduled.extend(every.map(|ms| cx.schedule(Duration::from_millis(ms), kind)));
        }
        Ok(())
    }

    fn process(&mut self, record: Record<Key, Value>, cx: &mut Cx<'_>) -> Result<(), ProcessError> {
        match &self.behaviour {
            Behaviour::Punctuate { .. } | Behaviour::PunctuateFrom { .. } => cx.forward(record),
            Behaviour::Count => {
                let store = cx.store(self.handle());
                let value = Self::count(store, &record.key, &record.value, record.timestamp)?;
                cx.forward(record.with_value(value))
            }
            Behaviour::Dedup => {
                let store = cx.store(self.handle());
                let is_new = Self::is_new(store, &record.key, &record.value, record.timestamp)?;
                if is_new { cx.forward(record) } else { Ok(()) }
            }
            Behaviour::Buffer { .. } if record.key.is_none() => Ok(()),
            Behaviour::Buffer { .. } => {
                keep(cx.store(self.handle()), record.key, record.value, record.timestamp)
            }
            Behaviour::Shift { by_ms } => {
                let timestamp = Timestamp((record.timestamp.0 + by_ms).max(0));
                cx.forward(Record { timestamp, ..record })
            }
            Behaviour::StreamTime => {
                let value = format!("{}@{}", or_null(record.value.as_deref()), cx.stream_time());
                cx.forward(record.with_value(Some(value)))
            }
            Behaviour::Header { name, value } => {
                let mut record = record;
                record.headers.push(name.as_str(), Some(value.clone().into()));
                cx.forward(record)
            }
            Behaviour::FailOn { text } => match &record.value {
                Some(value) if value.contains(text.as_str()) => Err(ProcessError::new("boom")),
                _ => cx.forward(record),
            },
        }
    }

    fn punctuate(&mut self, due: Punctuation, cx: &mut Cx<'_>) -> Result<(), ProcessError> {
        let firings_max = match self.behaviour {
            Behaviour::Punctuate { firings_max, .. } => firings_max,
            Behaviour::PunctuateFrom { .. } => None,
            _ => return self.release(due.timestamp, cx),
        };
        let key = match due.kind {
            PunctuationType::StreamTime => "~s",
            PunctuationType::WallClockTime => "~w",
        };
        cx.forward(Record::new(Some(key.to_owned()), Some(due.timestamp.to_string()), due.timestamp))?;
        self.fired += 1;
        if firings_max.is_some_and(|max| self.fired >= max) {
            self.scheduled.iter().for_each(|&punctuator| cx.cancel(punctuator));
        }
        Ok(())
    }
}

/// Those of the processors that specs use with fixed keys: with a store, and without punctuators.
impl FixedKeyProcessor<Key, Value, Value> for Named {
    fn process(
        &mut self,
        record: FixedKeyRecord<Key, Value>,
        cx: &mut FixedKeyContext<'_, '_, Key, Value>,
    ) -> Result<(), ProcessError> {
        let store = cx.store(self.handle());
        match self.behaviour {
            Behaviour::Count => {
                let value = Self::count(store, record.key(), &record.value, record.timestamp)?;
                cx.forward(record.with_value(value))
            }
            _ if Self::is_new(store, record.key(), &record.value, record.timestamp)? => cx.forward(record),
            _ => Ok(()),
        }
    }
}
