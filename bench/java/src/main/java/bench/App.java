package bench;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Kafka Streams on the workload that candlewick is measured with. Ends when it has read as many records as it was told,
 * and prints its figures as one line of JSON.
 *
 * <p>Arguments as name=value: topology=candles|notional brokers in out schema app state n threads guarantee=alo|eos, and
 * if wanted cache (bytes), commit (milliseconds), deadline (seconds).
 */
public final class App {
  private App() {}

  public static void main(String[] arguments) throws Exception {
    Map<String, String> named = new HashMap<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      named.put(argument.substring(0, equals), argument.substring(equals + 1));
    }
    int schema = Integer.parseInt(named.get("schema"));
    Topology topology =
        named.get("topology").equals("candles")
            ? Topologies.candles(named.get("in"), named.get("out"), schema)
            : Topologies.notional(named.get("in"), named.get("out"), schema);
    KafkaStreams streams = new KafkaStreams(topology, properties(named));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
    streams.start();
    long n = Long.parseLong(named.get("n"));
    long deadline = Long.parseLong(named.getOrDefault("deadline", "900"));
    String figures = drain(n, System.nanoTime() + deadline * 1_000_000_000L);
    streams.close(Duration.ofSeconds(120));
    System.out.println(figures);
    System.out.flush();
    System.exit(Progress.SEEN.sum() == n ? 0 : 2);
  }

  private static Properties properties(Map<String, String> named) {
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, named.get("app"));
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, named.get("brokers"));
    properties.put(StreamsConfig.STATE_DIR_CONFIG, named.get("state"));
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, named.get("threads"));
    properties.put("auto.offset.reset", "earliest");
    boolean exactlyOnce = named.get("guarantee").equals("eos");
    properties.put(
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
        exactlyOnce ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
    if (named.containsKey("cache")) {
      properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, named.get("cache"));
    }
    if (named.containsKey("commit")) {
      properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, named.get("commit"));
    }
    return properties;
  }

  /** Waits for the last record; the warm part is what comes after 60 % of them. */
  private static String drain(long n, long deadline) throws InterruptedException {
    long middle = n - n * 2 / 5;
    long warmFrom = 0;
    double warmCpu = 0;
    double startCpu = 0;
    while (Progress.SEEN.sum() < n && System.nanoTime() < deadline) {
      Thread.sleep(5);
      if (startCpu == 0 && Progress.firstIn != 0) {
        startCpu = Progress.cpuSeconds();
      }
      if (warmFrom == 0 && Progress.SEEN.sum() >= middle) {
        warmCpu = Progress.cpuSeconds();
        warmFrom = Progress.SEEN.sum();
      }
    }
    long end = System.nanoTime();
    long seen = Progress.SEEN.sum();
    double warm = (Progress.cpuSeconds() - warmCpu) / ((seen - warmFrom) / 1e6);
    double seconds = (end - Progress.firstIn) / 1e9;
    return String.format(
        java.util.Locale.ROOT,
        "{\"seen\":%d,\"drain_s\":%.3f,\"cpu_s_start\":%.2f,\"cpu_s_per_M_last40pct\":%.4f}",
        seen, seconds, startCpu, warm);
  }
}
