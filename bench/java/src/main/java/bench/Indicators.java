package bench;

import java.nio.ByteBuffer;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;

/** Moving averages, RSI and MACD of a symbol's closes, with their state in a store. */
final class Indicators {
  static final String STORE = "indicators";
  private static final int WINDOW = 20;

  int length;
  int position;
  long count;
  final double[] closes = new double[WINDOW];
  double ema12;
  double ema26;
  double signal;
  double averageGain;
  double averageLoss;
  double last;

  void add(double close) {
    if (count == 0) {
      ema12 = ema26 = close;
    } else {
      ema12 += (close - ema12) * 2 / 13;
      ema26 += (close - ema26) * 2 / 27;
      double change = close - last;
      double gain = Math.max(change, 0);
      double loss = Math.max(-change, 0);
      if (count <= 14) {
        averageGain += gain / 14;
        averageLoss += loss / 14;
      } else {
        averageGain = (averageGain * 13 + gain) / 14;
        averageLoss = (averageLoss * 13 + loss) / 14;
      }
    }
    signal += (ema12 - ema26 - signal) * 2 / 10;
    last = close;
    count++;
    closes[position] = close;
    position = (position + 1) % WINDOW;
    length = Math.min(length + 1, WINDOW);
  }

  double sma() {
    double sum = 0;
    for (int i = 0; i < length; i++) {
      sum += closes[i];
    }
    return sum / length;
  }

  double rsi() {
    return averageLoss == 0 ? 100.0 : 100 - 100 / (1 + averageGain / averageLoss);
  }

  static final class Bytes implements Serializer<Indicators>, Deserializer<Indicators> {
    @Override
    public void configure(java.util.Map<String, ?> configs, boolean isKey) {}

    @Override
    public void close() {}

    @Override
    public byte[] serialize(String topic, Indicators state) {
      if (state == null) {
        return null;
      }
      ByteBuffer bytes = ByteBuffer.allocate(16 + WINDOW * 8 + 48);
      bytes.putInt(state.length).putInt(state.position).putLong(state.count);
      for (double close : state.closes) {
        bytes.putDouble(close);
      }
      bytes.putDouble(state.ema12).putDouble(state.ema26).putDouble(state.signal);
      bytes.putDouble(state.averageGain).putDouble(state.averageLoss).putDouble(state.last);
      return bytes.array();
    }

    @Override
    public Indicators deserialize(String topic, byte[] array) {
      if (array == null) {
        return null;
      }
      ByteBuffer bytes = ByteBuffer.wrap(array);
      Indicators state = new Indicators();
      state.length = bytes.getInt();
      state.position = bytes.getInt();
      state.count = bytes.getLong();
      for (int i = 0; i < WINDOW; i++) {
        state.closes[i] = bytes.getDouble();
      }
      state.ema12 = bytes.getDouble();
      state.ema26 = bytes.getDouble();
      state.signal = bytes.getDouble();
      state.averageGain = bytes.getDouble();
      state.averageLoss = bytes.getDouble();
      state.last = bytes.getDouble();
      return state;
    }
  }

  /** Closed candles to records with their indicators. */
  static final class OfCandles implements FixedKeyProcessor<Windowed<String>, Candle, GenericRecord> {
    private FixedKeyProcessorContext<Windowed<String>, GenericRecord> context;
    private KeyValueStore<String, Indicators> store;

    @Override
    public void init(FixedKeyProcessorContext<Windowed<String>, GenericRecord> context) {
      this.context = context;
      this.store = context.getStateStore(STORE);
    }

    @Override
    public void process(FixedKeyRecord<Windowed<String>, Candle> record) {
      Candle candle = record.value();
      if (candle == null) {
        return;
      }
      String symbol = record.key().key();
      Indicators state = store.get(symbol);
      if (state == null) {
        state = new Indicators();
      }
      state.add(candle.close);
      store.put(symbol, state);
      GenericData.Record out = new GenericData.Record(Avro.INDICATOR);
      Object[] fields = {
        candle.lastId, symbol, record.key().window().start(), candle.count,
        candle.open, candle.high, candle.low, candle.close, candle.volume,
        candle.turnover / candle.volume, state.sma(), state.ema12, state.ema26,
        state.rsi(), state.ema12 - state.ema26, state.signal
      };
      for (int i = 0; i < fields.length; i++) {
        out.put(i, fields[i]);
      }
      context.forward(record.withValue(out));
    }
  }
}
