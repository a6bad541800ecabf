package bench;

import java.nio.ByteBuffer;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/** A candle as it grows, and its bytes in the store: ten words. */
final class Candle {
  double open;
  double high;
  double low;
  double close;
  double volume;
  double turnover;
  long count;
  long openTime;
  long closeTime;
  long lastId;

  /** Adds a trade in place. Open and close are the first and last by event time, ties by arrival. */
  static Candle add(String symbol, GenericRecord trade, Candle candle) {
    double price = (Double) trade.get(1);
    double size = (Double) trade.get(2);
    long time = (Long) trade.get(4);
    if (candle.count == 0) {
      candle.open = candle.high = candle.low = candle.close = price;
      candle.openTime = candle.closeTime = time;
    } else {
      candle.high = Math.max(candle.high, price);
      candle.low = Math.min(candle.low, price);
      if (time < candle.openTime) {
        candle.openTime = time;
        candle.open = price;
      }
      if (time >= candle.closeTime) {
        candle.closeTime = time;
        candle.close = price;
      }
    }
    candle.count++;
    candle.volume += size;
    candle.turnover += price * size;
    candle.lastId = (Long) trade.get(5);
    return candle;
  }

  static final class Bytes implements Serializer<Candle>, Deserializer<Candle> {
    @Override
    public void configure(java.util.Map<String, ?> configs, boolean isKey) {}

    @Override
    public void close() {}

    @Override
    public byte[] serialize(String topic, Candle candle) {
      if (candle == null) {
        return null;
      }
      ByteBuffer bytes = ByteBuffer.allocate(80);
      bytes.putDouble(candle.open).putDouble(candle.high).putDouble(candle.low).putDouble(candle.close);
      bytes.putDouble(candle.volume).putDouble(candle.turnover).putLong(candle.count);
      bytes.putLong(candle.openTime).putLong(candle.closeTime).putLong(candle.lastId);
      return bytes.array();
    }

    @Override
    public Candle deserialize(String topic, byte[] array) {
      if (array == null) {
        return null;
      }
      ByteBuffer bytes = ByteBuffer.wrap(array);
      Candle candle = new Candle();
      candle.open = bytes.getDouble();
      candle.high = bytes.getDouble();
      candle.low = bytes.getDouble();
      candle.close = bytes.getDouble();
      candle.volume = bytes.getDouble();
      candle.turnover = bytes.getDouble();
      candle.count = bytes.getLong();
      candle.openTime = bytes.getLong();
      candle.closeTime = bytes.getLong();
      candle.lastId = bytes.getLong();
      return candle;
    }
  }
}
