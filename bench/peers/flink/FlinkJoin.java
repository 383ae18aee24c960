import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.co.ProcessJoinFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Flink's DataStream: an interval join within T with a checkpoint every second, to a sink that counts. The interval join
 * is an inner join: it tells of no event without a partner, and drops no duplicates.
 *
 * Arguments: brokers, orders, payments, records of both, T ms, D ms, checkpoint directory; to measure latency in place
 * of throughput, of payments sent from a time to a time, ms since the epoch: those two behind.
 */
public final class FlinkJoin {
  /** Order id and created_at. */
  public static final class Decoder implements DeserializationSchema<Tuple2<String, Long>> {
    private final boolean isOrder;

    public Decoder(boolean isOrder) {
      this.isOrder = isOrder;
    }

    @Override
    public Tuple2<String, Long> deserialize(byte[] value) {
      Events.Event event = value == null ? null : isOrder ? Events.order(value) : Events.payment(value);
      return event == null ? null : Tuple2.of(event.orderId, event.createdAt);
    }

    @Override
    public boolean isEndOfStream(Tuple2<String, Long> next) {
      return false;
    }

    @Override
    public TypeInformation<Tuple2<String, Long>> getProducedType() {
      return Types.TUPLE(Types.STRING, Types.LONG);
    }
  }

  public static final class Count extends ProcessJoinFunction<Tuple2<String, Long>, Tuple2<String, Long>, Long> {
    private final LongCounter pairs = new LongCounter();
    private final long from;
    private final long until;

    public Count(long from, long until) {
      this.from = from;
      this.until = until;
    }

    @Override
    public void open(Configuration parameters) {
      getRuntimeContext().addAccumulator("pairs", pairs);
    }

    @Override
    public void processElement(
        Tuple2<String, Long> order, Tuple2<String, Long> payment, Context context, Collector<Long> out) {
      pairs.add(1);
      if (until > 0) Events.latency(payment.f1, from, until);
      out.collect(payment.f1);
    }
  }

  public static void main(String[] args) throws Exception {
    boolean isLive = args.length > 7;
    long from = isLive ? Long.parseLong(args[7]) : 0;
    long until = isLive ? Long.parseLong(args[8]) : 0;
    Duration t = Duration.ofMillis(Long.parseLong(args[4]));
    Duration d = Duration.ofMillis(Long.parseLong(args[5]));
    Configuration settings = new Configuration();
    settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + args[6]);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(2, settings);
    env.enableCheckpointing(1_000);
    env.getConfig().enableObjectReuse();
    // Between operators; the default of 100 ms is for throughput.
    if (isLive) env.setBufferTimeout(5);
    stream(env, args[0], args[1], true, d, isLive)
        .keyBy(event -> event.f0, Types.STRING)
        .intervalJoin(stream(env, args[0], args[2], false, d, isLive).keyBy(event -> event.f0, Types.STRING))
        .between(t.negated(), t)
        .process(new Count(from, until), Types.LONG)
        .sinkTo(new DiscardingSink<>());
    if (isLive) {
      JobClient job = env.executeAsync("bench");
      Thread.sleep(Math.max(0, until + Events.LAST_MS - System.currentTimeMillis()));
      job.cancel().get();
      System.out.println(Events.latencies());
      System.exit(0);
    }
    double cpuBefore = Events.cpuSeconds();
    long started = System.nanoTime();
    JobExecutionResult result = env.execute("bench");
    double seconds = (System.nanoTime() - started) / 1e9;
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("pairs", (Long) result.getAccumulatorResult("pairs"));
    System.out.println(
        Events.result(Long.parseLong(args[3]), seconds, Events.cpuSeconds() - cpuBefore, counts));
    System.exit(0);
  }

  private static DataStream<Tuple2<String, Long>> stream(
      StreamExecutionEnvironment env, String brokers, String topic, boolean isOrder, Duration d, boolean isLive) {
    KafkaSourceBuilder<Tuple2<String, Long>> source = KafkaSource.<Tuple2<String, Long>>builder()
        .setBootstrapServers(brokers)
        .setTopics(topic)
        .setGroupId("bench-" + topic)
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setValueOnlyDeserializer(new Decoder(isOrder));
    if (!isLive) source.setBounded(OffsetsInitializer.latest());
    WatermarkStrategy<Tuple2<String, Long>> watermarks = WatermarkStrategy
        .<Tuple2<String, Long>>forBoundedOutOfOrderness(d)
        .withTimestampAssigner((event, time) -> event.f1);
    return env.fromSource(source.build(), watermarks, topic);
  }
}
