//! What stands in the arena: the erased [`Node`], and the adapters that know the types and forget them again.

use std::any::Any;
use std::marker::PhantomData;

use super::arena::Hop;
use super::context::Context;
use super::policy::ErrorPolicy;
use super::punctuation::Punctuation;
use crate::error::ProcessError;
use crate::record::{RawRecord, Record};
use crate::time::Timestamp;

/// A stateful or stateless operation over records, one instance per task: made by a supplier, owned by its task,
/// called by one thread at a time.
///
/// ```
/// use candlewick::{Context, ProcessError, Processor, Record};
///
/// /// Forwards every second record.
/// struct EverySecond { seen: u64 }
///
/// impl Processor<String, i64, String, i64> for EverySecond {
///     fn process(
///         &mut self,
///         record: Record<String, i64>,
///         cx: &mut Context<'_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         self.seen += 1;
///         if self.seen % 2 == 0 { cx.forward(record) } else { Ok(()) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no processor of keys `{KI}` and values `{VI}` into `{KO}` and `{VO}`",
    label = "it takes or gives other records"
)]
pub trait Processor<KI, VI, KO, VO>: Send + 'static {
    /// Called once before the first record: the place to schedule punctuators.
    ///
    /// # Errors
    /// An error here ends the task.
    fn init(&mut self, cx: &mut Context<'_, KO, VO>) -> Result<(), ProcessError> {
        let _ = cx;
        Ok(())
    }

    /// Processes one record; what it forwards is processed to the end before `forward` returns.
    ///
    /// # Errors
    /// Goes to the processing handler, which skips the record or ends the task.
    fn process(&mut self, record: Record<KI, VI>, cx: &mut Context<'_, KO, VO>) -> Result<(), ProcessError>;

    /// A punctuator scheduled by [`Context::schedule`] is due.
    ///
    /// # Errors
    /// Goes to the processing handler.
    fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, KO, VO>) -> Result<(), ProcessError> {
        let _ = (due, cx);
        Ok(())
    }

    /// Forwards what a write-back cache has gathered. Called before every commit, parents first.
    ///
    /// # Errors
    /// Ends the task.
    #[doc(hidden)]
    fn flush(&mut self, cx: &mut Context<'_, KO, VO>) -> Result<(), ProcessError> {
        let _ = cx;
        Ok(())
    }

    /// Stream time moves on without a record: the input is idle and its user chose that windows close all the same.
    ///
    /// # Errors
    /// Goes to the processing handler.
    fn advance(&mut self, time: Timestamp, cx: &mut Context<'_, KO, VO>) -> Result<(), ProcessError> {
        let _ = (time, cx);
        Ok(())
    }
}

/// An erased node. `slot` is an `Option<Record<K, V>>` on the parent's stack: a node that needs the record takes it,
/// one that only looks leaves it for its last child.
pub(crate) trait Node: Send {
    fn init(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        let _ = hop;
        Ok(())
    }

    fn process(&mut self, slot: &mut dyn Any, hop: Hop<'_>) -> Result<(), ProcessError>;

    fn punctuate(&mut self, due: Punctuation, hop: Hop<'_>) -> Result<(), ProcessError> {
        let _ = (due, hop);
        Ok(())
    }

    fn flush(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        let _ = hop;
        Ok(())
    }

    fn advance(&mut self, time: Timestamp, hop: Hop<'_>) -> Result<(), ProcessError> {
        let _ = (time, hop);
        Ok(())
    }

    /// Forwards what has become of records that the node handed to somebody else. Asked of slow nodes alone.
    fn pump(&mut self, errors: Option<&ErrorPolicy>, hop: Hop<'_>) -> Result<(), ProcessError> {
        let _ = (errors, hop);
        Ok(())
    }
}

/// The first node of a record's way: bytes in, typed record on.
pub(crate) trait SourceNode: Send {
    /// Decodes and forwards. `partition_time` is the greatest time seen on the record's partition.
    fn process(
        &mut self,
        topic: &str,
        raw: RawRecord<'_>,
        partition_time: Timestamp,
        hop: Hop<'_>,
    ) -> Result<(), SourceError>;

    /// The record's event time, for the choice between partitions.
    fn time_of(&self, topic: &str, raw: RawRecord<'_>, partition_time: Timestamp) -> Timestamp;
}

/// Why a source could not bring a record into the topology.
pub(crate) enum SourceError {
    /// Key or value could not be read.
    Decode(crate::serde::SerdeError),
    /// A node below failed.
    Process(ProcessError),
}

/// Takes the record out of its slot.
#[inline]
pub(crate) fn take<K: 'static, V: 'static>(slot: &mut dyn Any) -> Record<K, V> {
    slot.downcast_mut::<Option<Record<K, V>>>()
        .and_then(Option::take)
        .expect("edge types are checked by Topology::build, and each child gets its own record")
}

/// Names types that a node does not hold.
type Types<KI, VI, KO, VO> = PhantomData<fn(KI, VI) -> (KO, VO)>;

/// Adapts a [`Processor`] to a [`Node`].
pub(crate) struct Typed<P, KI, VI, KO, VO> {
    processor: P,
    types: Types<KI, VI, KO, VO>,
}

impl<P, KI, VI, KO, VO> Typed<P, KI, VI, KO, VO> {
    pub(crate) fn new(processor: P) -> Self {
        Self { processor, types: PhantomData }
    }
}

impl<P, KI, VI, KO, VO> Node for Typed<P, KI, VI, KO, VO>
where
    P: Processor<KI, VI, KO, VO>,
    KI: 'static,
    VI: 'static,
    KO: Clone + 'static,
    VO: Clone + 'static,
{
    fn init(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.processor.init(&mut Context::new(hop))
    }

    #[inline]
    fn process(&mut self, slot: &mut dyn Any, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.processor.process(take(slot), &mut Context::new(hop))
    }

    fn punctuate(&mut self, due: Punctuation, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.processor.punctuate(due, &mut Context::new(hop))
    }

    fn flush(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.processor.flush(&mut Context::new(hop))
    }

    fn advance(&mut self, time: Timestamp, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.processor.advance(time, &mut Context::new(hop))
    }
}

/// A node that looks at the record where it lies and passes the same slot on: filter, peek. Moves nothing.
pub(crate) struct InPlace<F, K, V> {
    pass: F,
    types: PhantomData<fn(K, V)>,
}

impl<F, K, V> InPlace<F, K, V> {
    pub(crate) fn new(pass: F) -> Self {
        Self { pass, types: PhantomData }
    }
}

impl<F, K, V> Node for InPlace<F, K, V>
where
    F: FnMut(&mut Record<K, V>) -> bool + Send,
    K: Clone + 'static,
    V: Clone + 'static,
{
    #[inline]
    fn process(&mut self, slot: &mut dyn Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let place =
            slot.downcast_mut::<Option<Record<K, V>>>().expect("edge types are checked by Topology::build");
        let record = place.as_mut().expect("each child gets its own record");
        if (self.pass)(record) { hop.pass(place) } else { Ok(()) }
    }
}

/// A node that is a closure over records and context: the stateless operations.
pub(crate) struct MapNode<F, KI, VI, KO, VO> {
    run: F,
    types: Types<KI, VI, KO, VO>,
}

impl<F, KI, VI, KO, VO> MapNode<F, KI, VI, KO, VO>
where
    F: FnMut(Record<KI, VI>, &mut Context<'_, KO, VO>) -> Result<(), ProcessError>,
{
    pub(crate) fn new(run: F) -> Self {
        Self { run, types: PhantomData }
    }
}

impl<F, KI, VI, KO, VO> Node for MapNode<F, KI, VI, KO, VO>
where
    F: FnMut(Record<KI, VI>, &mut Context<'_, KO, VO>) -> Result<(), ProcessError> + Send,
    KI: 'static,
    VI: 'static,
    KO: Clone + 'static,
    VO: Clone + 'static,
{
    #[inline]
    fn process(&mut self, slot: &mut dyn Any, hop: Hop<'_>) -> Result<(), ProcessError> {
        (self.run)(take(slot), &mut Context::new(hop))
    }
}
