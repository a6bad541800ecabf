//! A topology in words and drawings: Kafka Streams' own text (which visualizers read), Graphviz and Mermaid.

use std::fmt::Write as _;

use super::graph::{GlobalDecl, NodeId, NodeRole, TopicRef};
use super::java_order::{Linked, java_bucket};
use super::topology::Topology;

impl Topology {
    /// The text that Kafka Streams' `TopologyDescription` prints for the same topology.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("words", Consumed::<String, String>::default()).to("copies", Produced::default());
    /// let topology = builder.build().expect("valid");
    /// let text = "Topologies:
    ///    Sub-topology: 0
    ///     Source: KSTREAM-SOURCE-0000000000 (topics: [words])
    ///       --> KSTREAM-SINK-0000000001
    ///     Sink: KSTREAM-SINK-0000000001 (topic: copies)
    ///       <-- KSTREAM-SOURCE-0000000000
    /// ";
    /// assert_eq!(topology.describe().trim_end(), text.trim_end());
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::from("Topologies:\n ");
        let mut globals = self.globals().iter().peekable();
        let mut number = 0..;
        for sub in self.sub_topologies() {
            let first = sub.nodes.first().map_or(0, |node| node.index());
            while let Some(global) = globals.next_if(|global| global.before <= first) {
                describe_global(global, number.next(), &mut text);
            }
            let _ = writeln!(text, "  Sub-topology: {}", number.next().unwrap_or(0));
            let linked = Linked::new(self, &sub.nodes);
            for id in linked.in_order() {
                self.describe_node(id, &linked, &mut text);
            }
            text.push('\n');
        }
        globals.for_each(|global| describe_global(global, number.next(), &mut text));
        text
    }

    fn describe_node(&self, id: NodeId, linked: &Linked<'_>, text: &mut String) {
        let node = self.node(id);
        let name = &node.name;
        let list = |topics: &[TopicRef]| {
            let mut names: Vec<&str> = topics.iter().map(|topic| &**topic.declared()).collect();
            names.sort_unstable();
            names.join(", ")
        };
        let _ = match &node.role {
            NodeRole::Source { topics, .. } => match topics.as_slice() {
                [TopicRef::Pattern(pattern)] => {
                    writeln!(text, "    Source: {name} (topics: {})", pattern.text)
                }
                topics => writeln!(text, "    Source: {name} (topics: [{}])", list(topics)),
            },
            NodeRole::Sink { topic: Some(topic), .. } => {
                writeln!(text, "    Sink: {name} (topic: {})", topic.declared())
            }
            // The JVM shows a class here, which we have none of.
            NodeRole::Sink { topic: None, .. } => {
                writeln!(text, "    Sink: {name} (extractor class: of records)")
            }
            NodeRole::Processor { .. } => {
                let mut stores: Vec<&str> = node.stores.iter().map(|store| &**store).collect();
                let count = stores.len();
                // Those of one bucket stay in the order in which they were connected.
                stores.sort_by_key(|store| java_bucket(store, count));
                writeln!(text, "    Processor: {name} (stores: [{}])", stores.join(", "))
            }
        };
        if !matches!(node.role, NodeRole::Sink { .. }) {
            let _ = writeln!(text, "      --> {}", self.names(&linked.below(id)));
        }
        if !matches!(node.role, NodeRole::Source { .. }) {
            let _ = writeln!(text, "      <-- {}", self.names(&linked.above(id)));
        }
    }

    fn names(&self, ids: &[NodeId]) -> String {
        if ids.is_empty() {
            return "none".into();
        }
        let names: Vec<&str> = ids.iter().map(|&id| &*self.node(id).name).collect();
        names.join(", ")
    }

    /// The topology as a Graphviz graph.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let words = builder.stream("words", Consumed::<String, String>::default().named("read"));
    /// words.to("copies", Produced::default().named("write"));
    /// let drawing = builder.build().expect("valid").to_graphviz();
    /// assert!(drawing.starts_with("digraph topology {") && drawing.contains("\"read\" -> \"write\";"));
    /// ```
    #[must_use]
    pub fn to_graphviz(&self) -> String {
        let mut text = String::from("digraph topology {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
        for sub in self.sub_topologies() {
            let _ = writeln!(text, "  subgraph cluster_{0} {{\n    label=\"Sub-topology {0}\";", sub.id);
            for &id in &sub.nodes {
                let _ = writeln!(text, "    \"{}\" [shape=box];", self.node(id).name);
            }
            text.push_str("  }\n");
        }
        self.edges(|from, to| {
            let _ = writeln!(text, "  \"{from}\" -> \"{to}\";");
        });
        text.push_str("}\n");
        text
    }

    /// The topology as a Mermaid flowchart.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let words = builder.stream("words", Consumed::<String, String>::default().named("read"));
    /// words.to("copies", Produced::default().named("write"));
    /// let drawing = builder.build().expect("valid").to_mermaid();
    /// assert!(drawing.starts_with("flowchart LR") && drawing.contains("read --> write"));
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for sub in self.sub_topologies() {
            let _ = writeln!(text, "  subgraph sub{0} [Sub-topology {0}]", sub.id);
            for &id in &sub.nodes {
                let name = &self.node(id).name;
                let _ = writeln!(text, "    {}[\"{name}\"]", mermaid_id(name));
            }
            text.push_str("  end\n");
        }
        self.edges(|from, to| {
            let _ = writeln!(text, "  {} --> {}", mermaid_id(from), mermaid_id(to));
        });
        text
    }

    /// Every edge: topics into sources, nodes to nodes, sinks into topics.
    pub(crate) fn edges(&self, mut edge: impl FnMut(&str, &str)) {
        for &id in self.sub_topologies().iter().flat_map(|sub| &sub.nodes) {
            let node = self.node(id);
            match &node.role {
                NodeRole::Source { topics, .. } => {
                    for topic in topics {
                        edge(topic.declared(), &node.name);
                    }
                }
                NodeRole::Sink { topic: Some(topic), .. } => edge(&node.name, topic.declared()),
                NodeRole::Sink { topic: None, .. } | NodeRole::Processor { .. } => {}
            }
            for &child in self.children(id) {
                edge(&node.name, &self.node(child).name);
            }
        }
    }
}

fn describe_global(global: &GlobalDecl, number: Option<u32>, text: &mut String) {
    let GlobalDecl { source, processor, topic, store, .. } = global;
    let _ = write!(
        text,
        "  Sub-topology: {} for global store (will not generate tasks)
    Source: {source} (topics: [{}])
      --> {processor}
    Processor: {processor} (stores: [{}])
      --> none
      <-- {source}
",
        number.unwrap_or(0),
        topic.declared(),
        store.name,
    );
}

fn mermaid_id(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
