package bench;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** One small topology for each operator, the same as in {@code src/operators/topologies.rs}. Owns the list. */
final class OperatorCases {
    private static final Serde<Long> LONG = Serdes.Long();

    /** What came out of operators whose results are not written: how many, and their sum. */
    static long seen;
    static long sum;

    private OperatorCases() { }

    static Map<String, Consumer<StreamsBuilder>> all(final long keys) {
        final Map<String, Consumer<StreamsBuilder>> cases = new TreeMap<>();
        cases.put("filter", b -> sent(stream(b, "in").filter((k, v) -> v % 2 == 0)));
        cases.put("map_values", b -> sent(stream(b, "in").mapValues(v -> v + 1)));
        cases.put("count", b -> told(grouped(b).count(kept("store"))));
        cases.put("reduce", b -> told(grouped(b).reduce(Long::sum, kept("store"))));
        cases.put("count by another key", b ->
            told(stream(b, "in").groupBy((k, v) -> v % keys, Grouped.with("by", LONG, LONG)).count(kept("store"))));
        windows(cases);
        joins(cases);
        tables(cases);
        return cases;
    }

    private static void windows(final Map<String, Consumer<StreamsBuilder>> cases) {
        final TimeWindows tumbling = TimeWindows.ofSizeAndGrace(ms(1_000), ms(100));
        cases.put("tumbling count", b -> gone(grouped(b).windowedBy(tumbling).count(keptWindows())));
        cases.put("hopping count, two windows", b ->
            gone(grouped(b).windowedBy(tumbling.advanceBy(ms(500))).count(keptWindows())));
        cases.put("sliding count", b -> gone(grouped(b)
            .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(1_500), ms(100))).count(keptWindows())));
        final Materialized<Long, Long, SessionStore<Bytes, byte[]>> sessions =
            Materialized.<Long, Long, SessionStore<Bytes, byte[]>>as("store").withKeySerde(LONG).withValueSerde(LONG)
                .withCachingDisabled();
        cases.put("session count", b -> gone(grouped(b)
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(1_500), ms(100))).count(sessions)));
        cases.put("suppress until windows close", b -> gone(grouped(b).windowedBy(tumbling).count(keptWindows())
            .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName("final"))));
    }

    private static void joins(final Map<String, Consumer<StreamsBuilder>> cases) {
        final Joined<Long, Long, Long> joined = Joined.with(LONG, LONG, LONG);
        cases.put("stream-table join", b -> {
            final KTable<Long, Long> table = b.table("right", consumed(), kept("table"));
            sent(stream(b, "left").join(table, Long::sum, joined));
        });
        cases.put("stream-table join with grace", b -> {
            final KTable<Long, Long> table = b.table("right", consumed(), versioned());
            sent(stream(b, "left").join(table, Long::sum, joined.withName("waits").withGracePeriod(ms(100))));
        });
        cases.put("stream-global join", b -> sent(stream(b, "left").join(
            b.globalTable("right", consumed(), kept("table")), (k, v) -> k, (a, c) -> a + c)));
        final JoinWindows windows = JoinWindows.ofTimeDifferenceAndGrace(ms(600), ms(100));
        final StreamJoined<Long, Long, Long> named =
            StreamJoined.with(LONG, LONG, LONG).withName("joined").withStoreName("joined");
        cases.put("stream-stream join", b ->
            sent(stream(b, "left").join(stream(b, "right"), Long::sum, windows, named)));
        cases.put("stream-stream left join", b -> sent(stream(b, "left")
            .leftJoin(stream(b, "right"), (a, c) -> a + (c == null ? 0 : c), windows, named)));
        cases.put("stream-stream outer join", b -> sent(stream(b, "left")
            .outerJoin(stream(b, "right"), (a, c) -> (a == null ? 0 : a) + (c == null ? 0 : c), windows, named)));
    }

    private static void tables(final Map<String, Consumer<StreamsBuilder>> cases) {
        cases.put("suppress for a time", b -> told(table(b, "in", "table").suppress(
            Suppressed.<Long>untilTimeLimit(ms(500), Suppressed.BufferConfig.unbounded()).withName("calm"))));
        cases.put("table", b -> told(table(b, "in", "table")));
        cases.put("table filter", b -> told(table(b, "in", "table").filter((k, v) -> v % 2 == 0)));
        cases.put("table group count", b -> told(table(b, "in", "table")
            .groupBy((k, v) -> KeyValue.pair(v % 1_000, v), Grouped.with("by", LONG, LONG)).count(kept("store"))));
        cases.put("versioned table", b -> told(b.table("in", consumed(), versioned())));
        cases.put("table-table join", b ->
            told(table(b, "left", "left").join(table(b, "right", "right"), Long::sum)));
        cases.put("table-table outer join", b -> told(table(b, "left", "left")
            .outerJoin(table(b, "right", "right"), (a, c) -> (a == null ? 0 : a) + (c == null ? 0 : c))));
        cases.put("foreign-key join", b -> told(table(b, "left", "left").join(
            table(b, "right", "right"), v -> v, Long::sum, TableJoined.as("foreign"), kept("joined"))));
    }

    private static KStream<Long, Long> stream(final StreamsBuilder builder, final String topic) {
        return builder.stream(topic, consumed());
    }

    private static KGroupedStream<Long, Long> grouped(final StreamsBuilder builder) {
        return stream(builder, "in").groupByKey(Grouped.with(LONG, LONG));
    }

    private static KTable<Long, Long> table(final StreamsBuilder builder, final String topic, final String store) {
        return builder.table(topic, consumed(), kept(store));
    }

    private static Consumed<Long, Long> consumed() {
        return Consumed.with(LONG, LONG);
    }

    private static Materialized<Long, Long, KeyValueStore<Bytes, byte[]>> kept(final String name) {
        return Materialized.<Long, Long, KeyValueStore<Bytes, byte[]>>as(name)
            .withKeySerde(LONG).withValueSerde(LONG).withCachingDisabled();
    }

    private static Materialized<Long, Long, WindowStore<Bytes, byte[]>> keptWindows() {
        return Materialized.<Long, Long, WindowStore<Bytes, byte[]>>as("store")
            .withKeySerde(LONG).withValueSerde(LONG).withCachingDisabled();
    }

    private static Materialized<Long, Long, KeyValueStore<Bytes, byte[]>> versioned() {
        return Materialized.<Long, Long>as(Stores.persistentVersionedKeyValueStore("table", ms(10_000)))
            .withKeySerde(LONG).withValueSerde(LONG);
    }

    private static void told(final KTable<Long, Long> table) {
        sent(table.toStream().mapValues(v -> v == null ? -1L : v));
    }

    private static <K> void gone(final KTable<K, Long> table) {
        table.toStream().foreach((k, v) -> {
            seen++;
            sum += v == null ? -1 : v;
        });
    }

    private static void sent(final KStream<Long, Long> stream) {
        stream.to("out", Produced.with(LONG, LONG));
    }

    private static Duration ms(final long ms) {
        return Duration.ofMillis(ms);
    }
}
