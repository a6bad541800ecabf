package bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.LongAdder;

/** How far the application is, and what it has cost. Owns the counters; knows no topology. */
final class Progress {
  static final LongAdder SEEN = new LongAdder();
  static volatile long firstIn;

  private Progress() {}

  /** A record of the input has been decoded. */
  static void seen() {
    if (firstIn == 0) {
      firstIn = System.nanoTime();
    }
    SEEN.increment();
  }

  /** User and system time of this process, in seconds. */
  static double cpuSeconds() {
    try {
      String stat = Files.readString(Path.of("/proc/self/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
