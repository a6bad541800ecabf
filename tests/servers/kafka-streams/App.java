import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/**
 * An application of Kafka Streams with a store of every kind, as `tests/takeover` declares it in Rust: it runs until it is
 * told to end (SIGTERM), and leaves its group then.
 */
final class App {
    public static void main(final String[] args) {
        final Properties p = new Properties();
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        p.put(StreamsConfig.STATE_DIR_CONFIG, args[2]);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[3]);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.LongSerde.class);
        p.put("auto.offset.reset", "earliest");
        final KafkaStreams streams = new KafkaStreams(topology().build(), p);
        Runtime.getRuntime().addShutdownHook(new Thread(() ->
            streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP).withTimeout(Duration.ofSeconds(30)))));
        streams.start();
    }

    private static StreamsBuilder topology() {
        final StreamsBuilder b = new StreamsBuilder();
        final KStream<String, Long> in = b.stream("in");
        final KGroupedStream<String, Long> byKey = in.groupByKey(Grouped.with(Serdes.String(), Serdes.Long()));
        byKey.count(Materialized.as("counts")).toStream().to("counts");
        final TimeWindows ten = TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(5));
        final KTable<Windowed<String>, Long> windows = byKey.windowedBy(ten).count(Materialized.as("windows"));
        windows.toStream(App::named).to("windows");
        windows.suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName("closing"))
            .toStream(App::named).to("closed");
        byKey.windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofMillis(1500), Duration.ofSeconds(5)))
            .count(Materialized.as("sessions")).toStream(App::named).to("sessions");
        in.map((k, v) -> KeyValue.pair(Long.toString(v % 5), v)).groupByKey(Grouped.with("by-rest", Serdes.String(), Serdes.Long()))
            .reduce(Long::sum, Materialized.as("sums")).toStream().to("sums");
        return b;
    }

    private static String named(final Windowed<String> k, final Long ignored) {
        return k.key() + "@" + k.window().start() + "/" + k.window().end();
    }
}
