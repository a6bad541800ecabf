package bench;

import java.time.Duration;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericEnumSymbol;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** The two topologies that candlewick is measured beside, over RocksDB stores with changelogs. */
final class Topologies {
  private Topologies() {}

  /** Trades to closed one-minute candles with five seconds of grace, and their indicators. */
  static Topology candles(String in, String out, int schemaId) {
    Serde<Candle> candles = Serdes.serdeFrom(new Candle.Bytes(), new Candle.Bytes());
    Serde<Indicators> indicators = Serdes.serdeFrom(new Indicators.Bytes(), new Indicators.Bytes());
    Serde<GenericRecord> trades = Serdes.serdeFrom(new Avro.Records(Avro.TRADE, 0), new Avro.Trades());
    Serde<GenericRecord> records =
        Serdes.serdeFrom(new Avro.Records(Avro.INDICATOR, schemaId), new Avro.Trades());
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(Indicators.STORE), Serdes.String(), indicators)
            .withCachingEnabled());
    builder.stream(in, Consumed.with(Serdes.String(), trades))
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofSeconds(5)))
        .aggregate(
            Candle::new,
            Candle::add,
            Materialized.<String, Candle, WindowStore<Bytes, byte[]>>as("candles")
                .withKeySerde(Serdes.String())
                .withValueSerde(candles))
        .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()))
        .toStream()
        .processValues(Indicators.OfCandles::new, Indicators.STORE)
        .map((window, record) -> KeyValue.pair(window.key(), record))
        .to(out, Produced.with(Serdes.String(), records));
    return builder.build();
  }

  /** Trades of buyers to their notional value. */
  static Topology notional(String in, String out, int schemaId) {
    Serde<GenericRecord> trades = Serdes.serdeFrom(new Avro.Records(Avro.TRADE, 0), new Avro.Trades());
    Serde<GenericRecord> records =
        Serdes.serdeFrom(new Avro.Records(Avro.NOTIONAL, schemaId), new Avro.Trades());
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(in, Consumed.with(Serdes.String(), trades))
        .filter((symbol, trade) -> ((GenericEnumSymbol<?>) trade.get(3)).toString().equals("BUY"))
        .mapValues(Topologies::notionalOf)
        .to(out, Produced.with(Serdes.String(), records));
    return builder.build();
  }

  private static GenericRecord notionalOf(GenericRecord trade) {
    GenericData.Record out = new GenericData.Record(Avro.NOTIONAL);
    out.put(0, trade.get(5));
    out.put(1, trade.get(0));
    out.put(2, trade.get(4));
    out.put(3, (Double) trade.get(1) * (Double) trade.get(2));
    return out;
  }
}
