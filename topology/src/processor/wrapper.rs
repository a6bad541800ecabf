//! What a user may put around every node: timing, tracing, fault injection. Knows nodes by name only.

use std::any::Any;
use std::sync::Arc;

use super::arena::Hop;
use super::node::Node;
use super::policy::ErrorPolicy;
use super::punctuation::Punctuation;
use crate::error::ProcessError;
use crate::time::Timestamp;

/// Stands around every processor and sink of a topology, those that the DSL makes too (KIP-1112). Given to
/// [`StreamsBuilder::wrap_processors`](crate::StreamsBuilder::wrap_processors).
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use candlewick::{ProcessError, ProcessorWrapper};
/// # use candlewick::*;
///
/// /// Notes which nodes a record passes.
/// struct Trace(Arc<Mutex<Vec<String>>>);
///
/// impl ProcessorWrapper for Trace {
///     fn process(&self, node: &str, run: &mut dyn FnMut() -> Result<(), ProcessError>) -> Result<(), ProcessError> {
///         self.0.lock().expect("nobody panicked").push(node.to_owned());
///         run()
///     }
/// }
///
/// let passed = Arc::new(Mutex::new(Vec::new()));
/// # let builder = StreamsBuilder::new();
/// builder.wrap_processors(Trace(Arc::clone(&passed)));
/// # let evens = builder.stream("in", Consumed::<String, i64>::default()).filter(|_, n| n % 2 == 0).named("evens");
/// # evens.to("out", Produced::default().named("write"));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// // Of 1 and 2:
/// assert_eq!(*passed.lock().expect("nobody panicked"), ["evens", "evens", "write"]);
/// ```
pub trait ProcessorWrapper: Send + Sync + 'static {
    /// A record is at the node of this name: `run` lets the node process it, with all that follows below. Left out, the
    /// record ends here.
    ///
    /// # Errors
    /// The node's, or the wrapper's own.
    fn process(
        &self,
        node: &str,
        run: &mut dyn FnMut() -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError>;
}

/// A node with its wrapper around it.
pub(crate) struct Wrapped {
    pub(crate) name: Arc<str>,
    pub(crate) node: Box<dyn Node>,
    pub(crate) wrapper: Arc<dyn ProcessorWrapper>,
}

impl Node for Wrapped {
    fn init(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.node.init(hop)
    }

    fn process(&mut self, slot: &mut dyn Any, hop: Hop<'_>) -> Result<(), ProcessError> {
        let (node, mut hop) = (&mut self.node, Some(hop));
        self.wrapper.process(&self.name, &mut || match hop.take() {
            Some(hop) => node.process(slot, hop),
            // Its record is gone.
            None => Ok(()),
        })
    }

    fn punctuate(&mut self, due: Punctuation, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.node.punctuate(due, hop)
    }

    fn flush(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.node.flush(hop)
    }

    fn advance(&mut self, time: Timestamp, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.node.advance(time, hop)
    }

    fn pump(&mut self, errors: Option<&ErrorPolicy>, hop: Hop<'_>) -> Result<(), ProcessError> {
        self.node.pump(errors, hop)
    }
}
