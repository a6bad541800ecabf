package oracle;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.internals.InternalTopicConfig;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** What Kafka Streams keeps for itself: its internal topics with their configuration, and the bytes it writes to them. */
final class Internals {
    static final String PREFIX = "oracle-";
    private static final long ADDITIONAL_RETENTION_MS = 24 * 60 * 60 * 1000L;
    private final TopologyTestDriver driver;
    private final Map<String, TestOutputTopic<byte[], byte[]>> topics = new HashMap<>();

    Internals(final TopologyTestDriver driver) {
        this.driver = driver;
    }

    /** name without the application's id -> configuration. */
    static void topics(final Topology t, final ObjectNode into) throws Exception {
        final var field = Topology.class.getDeclaredField("internalTopologyBuilder");
        field.setAccessible(true);
        final Map<String, InternalTopicConfig> all = new TreeMap<>();
        for (final InternalTopologyBuilder.TopicsInfo i : ((InternalTopologyBuilder) field.get(t)).subtopologyToTopicsInfo().values()) {
            all.putAll(i.repartitionSourceTopics);
            all.putAll(i.stateChangelogTopics);
        }
        all.forEach((name, config) -> {
            // A topic of the user's that is a table's changelog too.
            if (!name.startsWith(PREFIX)) return;
            final ObjectNode c = into.putObject(name.substring(PREFIX.length()));
            new TreeMap<>(config.properties(Map.of(), ADDITIONAL_RETENTION_MS)).forEach(c::put);
        });
    }

    /** What was written since the last look: [topic, key, value, timestamp, headers?]. */
    void drain(final ArrayNode into) {
        for (final String name : new TreeSet<>(driver.producedTopicNames())) {
            if (!name.startsWith(PREFIX)) continue;
            final TestOutputTopic<byte[], byte[]> topic = topics.computeIfAbsent(name,
                n -> driver.createOutputTopic(n, new ByteArrayDeserializer(), new ByteArrayDeserializer()));
            topic.readRecordsToList().forEach(r -> {
                final ArrayNode x = into.addArray().add(name.substring(PREFIX.length())).add(text(r.key())).add(text(r.value())).add(r.timestamp());
                if (r.headers().toArray().length > 0) {
                    final ArrayNode hs = x.addArray();
                    for (final Header h : r.headers()) hs.addArray().add(h.key()).add(text(h.value()));
                }
            });
        }
    }

    /** Printable ASCII as it is, a backslash twice, every other byte as \xHH. */
    private static String text(final byte[] bytes) {
        if (bytes == null) return null;
        final StringBuilder b = new StringBuilder();
        for (final byte x : bytes) {
            if (x == '\\') b.append("\\\\");
            else if (x >= ' ' && x < 127) b.append((char) x);
            else b.append(String.format("\\x%02x", x));
        }
        return b.toString();
    }
}
