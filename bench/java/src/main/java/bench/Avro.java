package bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/** Avro in Confluent's wire format, with readers and writers that are used again. Owns the schemas. */
final class Avro {
  static final Schema TRADE = schema("trade");
  static final Schema INDICATOR = schema("indicator");
  static final Schema NOTIONAL = schema("notional");

  private Avro() {}

  private static Schema schema(String name) {
    try (var text = Avro.class.getResourceAsStream("/" + name + ".avsc")) {
      return new Schema.Parser().parse(text);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Trades off the input topic; each is counted. */
  static final class Trades implements Deserializer<GenericRecord> {
    private static final class Reading {
      final GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(TRADE);
      BinaryDecoder decoder;
    }

    private final ThreadLocal<Reading> reading = ThreadLocal.withInitial(Reading::new);

    @Override
    public GenericRecord deserialize(String topic, byte[] bytes) {
      if (bytes == null) {
        return null;
      }
      if (bytes.length < 5 || bytes[0] != 0) {
        throw new IllegalArgumentException("no schema id in front of the record");
      }
      try {
        Reading own = reading.get();
        own.decoder = DecoderFactory.get().binaryDecoder(bytes, 5, bytes.length - 5, own.decoder);
        GenericRecord trade = own.reader.read(null, own.decoder);
        Progress.seen();
        return trade;
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  /** Records of one schema, whose id in the registry is known. */
  static final class Records implements Serializer<GenericRecord> {
    private static final class Writing {
      final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
      final GenericDatumWriter<GenericRecord> writer;
      BinaryEncoder encoder;

      Writing(Schema schema) {
        writer = new GenericDatumWriter<>(schema);
      }
    }

    private final int id;
    private final ThreadLocal<Writing> writing;

    Records(Schema schema, int id) {
      this.id = id;
      this.writing = ThreadLocal.withInitial(() -> new Writing(schema));
    }

    @Override
    public byte[] serialize(String topic, GenericRecord record) {
      if (record == null) {
        return null;
      }
      try {
        Writing own = writing.get();
        own.bytes.reset();
        own.bytes.write(0);
        for (int shift = 24; shift >= 0; shift -= 8) {
          own.bytes.write(id >>> shift);
        }
        own.encoder = EncoderFactory.get().binaryEncoder(own.bytes, own.encoder);
        own.writer.write(record, own.encoder);
        own.encoder.flush();
        return own.bytes.toByteArray();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }
}
