//! The arena: a task's nodes in topological order in one `Vec`. A node forwards by borrowing the nodes behind it
//! (`split_at_mut`), so a record runs depth first, as in the JVM, in safe code and without a queue; since an index only
//! grows, the depth is bounded by the number of nodes and a cycle cannot be built. Knows no types and no stores.

use std::any::Any;
use std::sync::Arc;

use super::blame::blaming;
use super::env::Env;
use super::node::Node;
use super::policy::ErrorPolicy;
use super::punctuation::Punctuation;
use crate::error::ProcessError;
use crate::record::Record;
use crate::time::Timestamp;

/// A node in its place.
pub(crate) struct Cell {
    pub(crate) name: Arc<str>,
    pub(crate) node: Box<dyn Node>,
    /// Indices into the arena, each greater than this cell's own, in the order of declaration.
    pub(crate) children: Box<[u32]>,
    /// Records that came in.
    pub(crate) processed: u64,
    /// What its user wants about its errors, before the application's handler.
    pub(crate) policy: Option<ErrorPolicy>,
}

/// A task's nodes.
#[derive(Default)]
pub(crate) struct NodeArena {
    pub(crate) cells: Vec<Cell>,
}

/// What a running node may touch: the nodes behind it and the task's environment.
pub(crate) struct Hop<'a> {
    below: &'a mut [Cell],
    base: u32,
    node: u32,
    pub(crate) children: &'a [u32],
    pub(crate) env: &'a mut Env,
}

impl NodeArena {
    /// The hop of a source, which stands before all nodes.
    pub(crate) fn enter<'a>(&'a mut self, children: &'a [u32], env: &'a mut Env) -> Hop<'a> {
        Hop { below: &mut self.cells, base: 0, node: u32::MAX, children, env }
    }

    /// Calls every node's `init`, parents first.
    pub(crate) fn init(&mut self, env: &mut Env) -> Result<(), ProcessError> {
        for index in 0..self.cells.len() {
            self.at(index, env, |node, hop| node.init(hop))?;
        }
        Ok(())
    }

    /// Lets every node forward what its cache gathered, parents first, so that what one forwards the next one
    /// gathers and forwards in the same pass.
    pub(crate) fn flush(&mut self, env: &mut Env) -> Result<(), ProcessError> {
        for index in 0..self.cells.len() {
            self.at(index, env, |node, hop| node.flush(hop))?;
        }
        Ok(())
    }

    /// Tells every node that stream time has moved on without a record, parents first.
    pub(crate) fn advance(&mut self, time: Timestamp, env: &mut Env) -> Result<(), ProcessError> {
        for index in 0..self.cells.len() {
            self.at(index, env, |node, hop| node.advance(time, hop))?;
        }
        Ok(())
    }

    /// Lets slow nodes forward what has been finished, parents first.
    pub(crate) fn pump(&mut self, env: &mut Env) -> Result<(), ProcessError> {
        for at in 0..env.unfinished.nodes().len() {
            let node = env.unfinished.nodes()[at];
            let errors = self.cells[node as usize].policy;
            self.at(node as usize, env, |node, hop| node.pump(errors.as_ref(), hop))?;
        }
        Ok(())
    }

    pub(crate) fn punctuate(
        &mut self,
        node: u32,
        due: Punctuation,
        env: &mut Env,
    ) -> Result<(), ProcessError> {
        let result = self.at(node as usize, env, |node, hop| node.punctuate(due, hop));
        result.or_else(|error| env.skip(error, self.cells[node as usize].policy.as_ref()))
    }

    fn at(
        &mut self,
        index: usize,
        env: &mut Env,
        call: impl FnOnce(&mut dyn Node, Hop<'_>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let (head, below) = self.cells.split_at_mut(index + 1);
        let Cell { node, children, name, .. } = &mut head[index];
        let number = u32::try_from(index).expect("a topology has fewer than 2^32 nodes");
        let hop = Hop { below, base: number + 1, node: number, children, env };
        blaming(name, || call(node.as_mut(), hop)).map_err(|mut error| {
            error.name_node(name);
            error
        })
    }
}

impl Hop<'_> {
    /// The running node's own index.
    pub(crate) fn node(&self) -> u32 {
        self.node
    }

    /// Runs `child` on the record in `slot`, with the processing handler around it.
    #[inline]
    fn run(&mut self, child: u32, slot: &mut dyn Any) -> Result<(), ProcessError> {
        let relative = (child - self.base) as usize;
        let (head, below) = self.below.split_at_mut(relative + 1);
        let Cell { name, node, children, processed, policy } = &mut head[relative];
        *processed += 1;
        let hop = Hop { below, base: child + 1, node: child, children, env: self.env };
        match blaming(name, || node.process(slot, hop)) {
            Ok(()) => Ok(()),
            Err(error) => failed(error, name, policy.as_ref(), self.env),
        }
    }

    /// Hands the record in `slot` to every child: clones for all but the last, which gets the slot itself.
    #[inline]
    pub(crate) fn pass<K: Clone + 'static, V: Clone + 'static>(
        &mut self,
        slot: &mut Option<Record<K, V>>,
    ) -> Result<(), ProcessError> {
        let Some((&last, rest)) = self.children.split_last() else { return Ok(()) };
        for &child in rest {
            let mut copy = slot.clone();
            self.run(child, &mut copy)?;
        }
        self.run(last, slot)
    }

    /// Hands the record to one child only.
    #[inline]
    pub(crate) fn pass_to<K: 'static, V: 'static>(
        &mut self,
        child: usize,
        record: Record<K, V>,
    ) -> Result<(), ProcessError> {
        let Some(&child) = self.children.get(child) else { return Ok(()) };
        let mut slot = Some(record);
        self.run(child, &mut slot)
    }

    /// The name of the child at this place among the children.
    pub(crate) fn child_position(&self, name: &str) -> Option<usize> {
        self.children.iter().position(|&child| &*self.below[(child - self.base) as usize].name == name)
    }
}

/// The cold path of a failed node: name it, and ask the handler unless a node below was already handled.
#[cold]
fn failed(
    mut error: ProcessError,
    name: &Arc<str>,
    policy: Option<&ErrorPolicy>,
    env: &mut Env,
) -> Result<(), ProcessError> {
    error.name_node(name);
    env.skip(error, policy)
}
