package bench;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/**
 * Kafka Streams restoring a store of counts from its changelog. Prints one line of JSON: the processor time between the
 * restoration's start and its end, and what the store holds then.
 *
 * <p>Arguments: brokers, application id, state folder.
 */
public final class Restore {
  private Restore() {}

  private static volatile double cpuAtStart;
  private static volatile double cpuAtEnd;
  private static volatile long began;
  private static volatile long ended;
  private static volatile long restored;

  public static void main(String[] arguments) throws Exception {
    Properties p = new Properties();
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, arguments[2]);
    p.put("auto.offset.reset", "earliest");
    StreamsBuilder b = new StreamsBuilder();
    b.stream("in", Consumed.with(Serdes.Long(), Serdes.Long()))
        .groupByKey(Grouped.with(Serdes.Long(), Serdes.Long()))
        .count(Materialized.as("counts"));
    CountDownLatch done = new CountDownLatch(1);
    KafkaStreams streams = new KafkaStreams(b.build(), p);
    streams.setGlobalStateRestoreListener(
        new StateRestoreListener() {
          @Override
          public void onRestoreStart(TopicPartition of, String store, long from, long to) {
            cpuAtStart = Progress.cpuSeconds();
            began = System.nanoTime();
          }

          @Override
          public void onBatchRestored(TopicPartition of, String store, long end, long count) {}

          @Override
          public void onRestoreEnd(TopicPartition of, String store, long total) {
            cpuAtEnd = Progress.cpuSeconds();
            ended = System.nanoTime();
            restored = total;
            done.countDown();
          }
        });
    streams.start();
    done.await();
    while (streams.state() != KafkaStreams.State.RUNNING) {
      Thread.sleep(20);
    }
    ReadOnlyKeyValueStore<Long, Long> store =
        streams.store(StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.keyValueStore()));
    long rows = 0;
    long sum = 0;
    try (KeyValueIterator<Long, Long> all = store.all()) {
      while (all.hasNext()) {
        sum += all.next().value;
        rows++;
      }
    }
    System.out.printf(
        java.util.Locale.ROOT,
        "{\"restored\":%d,\"cpu_s\":%.3f,\"wall_s\":%.3f,\"rows\":%d,\"sum\":%d}%n",
        restored, cpuAtEnd - cpuAtStart, (ended - began) / 1e9, rows, sum);
    System.out.flush();
    streams.close(Duration.ofSeconds(60));
    System.exit(0);
  }
}
