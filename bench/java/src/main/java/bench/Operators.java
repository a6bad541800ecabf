package bench;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.test.TestRecord;

/**
 * What one operator costs for a record in the test driver: {@code Operators <operator> <keys> <warm> <measured>}. The CPU
 * time of the thread that pipes, without what the collector and the compiler take; what the driver gathers is taken out
 * in between, and not counted.
 */
public final class Operators {
    /** Records between two looks at what came out. */
    private static final int BATCH = 4_096;
    private static final long RECORDS_PER_MS = 100;
    private static final long[] STRIDES = {61_403, 77_201};
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final String operator;
    private final long keys;
    private final String[] topics;
    private final TopologyTestDriver driver;
    private final Map<String, TestInputTopic<Long, Long>> inputs = new HashMap<>();
    private final Map<Long, Long> latest = new HashMap<>();
    private long outputs;
    private long checksum;

    private Operators(final String operator, final long keys, final TopologyTestDriver driver) {
        this.operator = operator;
        this.keys = keys;
        this.driver = driver;
        final boolean joins = operator.endsWith("join") || operator.endsWith("join with grace");
        topics = joins ? new String[] {"left", "right"} : new String[] {"in"};
        for (final String topic : topics) {
            inputs.put(topic, driver.createInputTopic(topic, new LongSerializer(), new LongSerializer()));
        }
    }

    public static void main(final String[] args) throws Exception {
        final long keys = Long.parseLong(args[1]);
        final long warm = Long.parseLong(args[2]);
        final long measured = Long.parseLong(args[3]);
        final File folder = Files.createTempDirectory("operators").toFile();
        final Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:1");
        config.put(StreamsConfig.STATE_DIR_CONFIG, folder.getAbsolutePath());
        config.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
            BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        // The driver's clock stands still: look for records without a match whenever stream time advances.
        config.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
        final StreamsBuilder builder = new StreamsBuilder();
        OperatorCases.all(keys).get(args[0]).accept(builder);
        try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(config), config)) {
            new Operators(args[0], keys, driver).run(warm, measured);
        }
        Utils.delete(folder);
    }

    private void run(final long warm, final long measured) {
        pipe(0, warm);
        outputs = 0;
        checksum = 0;
        OperatorCases.seen = 0;
        OperatorCases.sum = 0;
        final double us = pipe(warm, measured) / 1e3 / measured;
        if (onlyLatest()) {
            outputs = latest.size();
            latest.forEach((key, value) -> checksum += key * 1_000_003 + value);
        }
        System.out.printf("{\"operator\":\"%s\",\"us\":%.3f,\"outputs\":%d,\"checksum\":%d}%n",
            operator, us, outputs + OperatorCases.seen, checksum + OperatorCases.sum);
    }

    private boolean onlyLatest() {
        return operator.equals("foreign-key join");
    }

    private long value(final long number, final long key) {
        switch (operator) {
            case "stream-global join": return key;
            case "foreign-key join": return (key + number / (3 * keys)) % keys;
            default: return number;
        }
    }

    /** Pipes records and gives what the thread was charged, in nanoseconds. */
    private long pipe(final long from, final long count) {
        long charged = 0;
        for (long next = from; next < from + count; next += BATCH) {
            final long start = THREADS.getCurrentThreadCpuTime();
            for (long number = next; number < Math.min(next + BATCH, from + count); number++) {
                final long time = number / RECORDS_PER_MS;
                final int topic = (int) (time % topics.length);
                final long turn = time / topics.length * RECORDS_PER_MS + number % RECORDS_PER_MS;
                final long key = Math.floorMod(turn * STRIDES[topic], keys);
                inputs.get(topics[topic]).pipeInput(key, value(number, key), time);
            }
            charged += THREADS.getCurrentThreadCpuTime() - start;
            take();
        }
        return charged;
    }

    /** Takes out what the driver has gathered: results, changelogs and internal topics. */
    private void take() {
        for (final String topic : driver.producedTopicNames()) {
            if (!topic.equals("out")) {
                driver.createOutputTopic(topic, new ByteArrayDeserializer(), new ByteArrayDeserializer()).readRecordsToList();
                continue;
            }
            final var results = driver.createOutputTopic(topic, new LongDeserializer(), new LongDeserializer());
            for (final TestRecord<Long, Long> result : results.readRecordsToList()) {
                if (onlyLatest()) {
                    latest.put(result.key(), result.value());
                } else {
                    outputs++;
                    checksum += result.key() * 1_000_003 + result.value();
                }
            }
        }
    }
}
