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
import org.apache.flink.connector.kafka.source.KafkaSource;
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
 * Arguments: brokers, orders, payments, records of both, T ms, D ms, checkpoint directory.
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

    @Override
    public void open(Configuration parameters) {
      getRuntimeContext().addAccumulator("pairs", pairs);
    }

    @Override
    public void processElement(
        Tuple2<String, Long> order, Tuple2<String, Long> payment, Context context, Collector<Long> out) {
      pairs.add(1);
      out.collect(payment.f1);
    }
  }

  public static void main(String[] args) throws Exception {
    Duration t = Duration.ofMillis(Long.parseLong(args[4]));
    Duration d = Duration.ofMillis(Long.parseLong(args[5]));
    Configuration settings = new Configuration();
    settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + args[6]);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(2, settings);
    env.enableCheckpointing(1_000);
    env.getConfig().enableObjectReuse();
    stream(env, args[0], args[1], true, d)
        .keyBy(event -> event.f0, Types.STRING)
        .intervalJoin(stream(env, args[0], args[2], false, d).keyBy(event -> event.f0, Types.STRING))
        .between(t.negated(), t)
        .process(new Count(), Types.LONG)
        .sinkTo(new DiscardingSink<>());
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
      StreamExecutionEnvironment env, String brokers, String topic, boolean isOrder, Duration d) {
    KafkaSource<Tuple2<String, Long>> source = KafkaSource.<Tuple2<String, Long>>builder()
        .setBootstrapServers(brokers)
        .setTopics(topic)
        .setGroupId("bench-" + topic)
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setBounded(OffsetsInitializer.latest())
        .setValueOnlyDeserializer(new Decoder(isOrder))
        .build();
    WatermarkStrategy<Tuple2<String, Long>> watermarks = WatermarkStrategy
        .<Tuple2<String, Long>>forBoundedOutOfOrderness(d)
        .withTimestampAssigner((event, time) -> event.f1);
    return env.fromSource(source, watermarks, topic);
  }
}
