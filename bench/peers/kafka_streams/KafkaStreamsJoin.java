import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.StreamJoined;

/**
 * Kafka Streams: an outer join of two streams within T, exactly once, to a sink that counts. It drops no duplicates, and
 * an event without a partner comes out when its partition's stream time has passed the window.
 *
 * Arguments: brokers, orders, payments, records of both, T ms, D ms, state directory; to measure latency in place of
 * throughput, of payments sent from a time to a time, ms since the epoch: those two behind.
 */
public final class KafkaStreamsJoin {
  public static void main(String[] args) throws Exception {
    boolean isLive = args.length > 7;
    long from = isLive ? Long.parseLong(args[7]) : 0;
    long until = isLive ? Long.parseLong(args[8]) : 0;
    long expected = isLive ? Long.MAX_VALUE : Long.parseLong(args[3]);
    Duration t = Duration.ofMillis(Long.parseLong(args[4]));
    Duration d = Duration.ofMillis(Long.parseLong(args[5]));
    LongAdder read = new LongAdder();
    LongAdder malformed = new LongAdder();
    LongAdder pairs = new LongAdder();
    LongAdder unmatched = new LongAdder();
    CountDownLatch done = new CountDownLatch(1);

    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, Events.Event> orders = stream(builder, args[1], true, read, malformed, expected, done);
    KStream<String, Events.Event> payments = stream(builder, args[2], false, read, malformed, expected, done);
    Serde<Events.Event> stored = Serdes.serdeFrom(
        (topic, event) -> event == null ? null : Events.bytes(event),
        (topic, bytes) -> bytes == null ? null : Events.event(bytes));
    orders
        .outerJoin(
            payments,
            (order, payment) -> {
              if (order == null || payment == null) unmatched.increment();
              else {
                pairs.increment();
                if (isLive) Events.latency(payment.createdAt, from, until);
              }
              return order == null || payment == null ? 0 : 1;
            },
            JoinWindows.ofTimeDifferenceAndGrace(t, d),
            StreamJoined.with(Serdes.String(), stored, stored))
        .foreach((key, value) -> {});

    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "bench-" + System.nanoTime());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[6]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    settings.put("auto.offset.reset", "earliest");
    // One broker.
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    double cpuBefore = Events.cpuSeconds();
    long started = System.nanoTime();
    streams.start();
    if (isLive) {
      Thread.sleep(Math.max(0, until + Events.LAST_MS - System.currentTimeMillis()));
      streams.close(Duration.ofMinutes(2));
      System.out.println(Events.latencies());
      System.exit(0);
    }
    done.await();
    streams.close(Duration.ofMinutes(2)); // Commits what was read last.
    double seconds = (System.nanoTime() - started) / 1e9;
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("pairs", pairs.sum());
    counts.put("unmatched", unmatched.sum());
    counts.put("deadLetters", malformed.sum());
    System.out.println(Events.result(read.sum(), seconds, Events.cpuSeconds() - cpuBefore, counts));
    System.exit(0);
  }

  private static KStream<String, Events.Event> stream(
      StreamsBuilder builder,
      String topic,
      boolean isOrder,
      LongAdder read,
      LongAdder malformed,
      long expected,
      CountDownLatch done) {
    Serde<Events.Event> values = Serdes.serdeFrom(
        (name, event) -> Events.bytes(event),
        (name, bytes) -> {
          read.increment();
          Events.Event event = bytes == null ? null : isOrder ? Events.order(bytes) : Events.payment(bytes);
          if (event == null) malformed.increment();
          if (read.sum() >= expected) done.countDown();
          // Kafka Streams drops records without a time; a malformed one has to have some.
          return event == null ? new Events.Event("", null, 0, 0) : event;
        });
    return builder
        .stream(
            topic,
            Consumed.with(Serdes.String(), values)
                .withTimestampExtractor((record, partitionTime) -> {
                  long createdAt = ((Events.Event) record.value()).createdAt;
                  return createdAt > 0 ? createdAt : Math.max(0, partitionTime);
                }))
        .filter((key, event) -> event.createdAt > 0);
  }
}
