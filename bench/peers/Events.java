import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;

/** An order or a payment out of Avro's single-object encoding; the fields are in schemas/order.avsc and payment.avsc. */
final class Events {
  static final class Event {
    final String orderId;
    final String paymentId; // null for an order
    final long createdAt;
    final int amount;

    Event(String orderId, String paymentId, long createdAt, int amount) {
      this.orderId = orderId;
      this.paymentId = paymentId;
      this.createdAt = createdAt;
      this.amount = amount;
    }
  }

  private static final int HEADER_BYTES = 10;
  /** What is sent last comes out within this time. */
  static final long LAST_MS = 3_000;

  /** null for what is no event: those are counted, and go no further. */
  static Event order(byte[] value) {
    try {
      ByteBuffer in = after(value);
      String orderId = text(in);
      number(in);
      long createdAt = number(in);
      text(in);
      return new Event(orderId, null, createdAt, (int) number(in));
    } catch (RuntimeException malformed) {
      return null;
    }
  }

  static Event payment(byte[] value) {
    try {
      ByteBuffer in = after(value);
      String paymentId = text(in);
      String orderId = text(in);
      number(in);
      long createdAt = number(in);
      return new Event(orderId, paymentId, createdAt, (int) number(in));
    } catch (RuntimeException malformed) {
      return null;
    }
  }

  static byte[] bytes(Event event) {
    byte[] order = event.orderId.getBytes(StandardCharsets.UTF_8);
    byte[] payment = event.paymentId == null ? new byte[0] : event.paymentId.getBytes(StandardCharsets.UTF_8);
    ByteBuffer out = ByteBuffer.allocate(order.length + payment.length + 20);
    out.putInt(order.length).put(order).putInt(event.paymentId == null ? -1 : payment.length).put(payment);
    return out.putLong(event.createdAt).putInt(event.amount).array();
  }

  static Event event(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    String orderId = fixed(in, in.getInt());
    int count = in.getInt();
    return new Event(orderId, count < 0 ? null : fixed(in, count), in.getLong(), in.getInt());
  }

  private static ByteBuffer after(byte[] value) {
    if (value[0] != (byte) 0xC3 || value[1] != 1) throw new IllegalArgumentException("no single object");
    return ByteBuffer.wrap(value, HEADER_BYTES, value.length - HEADER_BYTES);
  }

  private static String text(ByteBuffer in) {
    return fixed(in, (int) number(in));
  }

  private static String fixed(ByteBuffer in, int count) {
    String text = new String(in.array(), in.arrayOffset() + in.position(), count, StandardCharsets.UTF_8);
    in.position(in.position() + count);
    return text;
  }

  /** Zigzag varint. */
  private static long number(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = in.get();
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) return (value >>> 1) ^ -(value & 1);
    }
  }

  /** The result line of a peer. */
  static String result(long events, double seconds, double cpuSeconds, Map<String, Long> counts) throws Exception {
    long peakKib = 0;
    for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of("/proc/self/status")))
      if (line.startsWith("VmHWM:")) peakKib = Long.parseLong(line.replaceAll("\\D", ""));
    StringBuilder text = new StringBuilder();
    text.append("{\"events\":").append(events).append(",\"seconds\":").append(seconds);
    text.append(",\"cpuSeconds\":").append(cpuSeconds).append(",\"peakRssBytes\":").append(peakKib * 1024);
    text.append(",\"counts\":{");
    String comma = "";
    for (Map.Entry<String, Long> count : counts.entrySet()) {
      text.append(comma).append('"').append(count.getKey()).append("\":").append(count.getValue());
      comma = ",";
    }
    return text.append("}}").toString();
  }

  /** How many pairs came out so many milliseconds after their payment was sent; what took longer is in the last. */
  private static final AtomicLongArray LATENCIES = new AtomicLongArray(60_001);

  /** Counts those of payments that were sent from `from` up to `until`, ms since the epoch. */
  static void latency(long sentAt, long from, long until) {
    if (sentAt < from || sentAt >= until) return;
    long late = System.currentTimeMillis() - sentAt;
    LATENCIES.incrementAndGet((int) Math.max(0, Math.min(late, LATENCIES.length() - 1)));
  }

  /** The result line of a peer whose latency was measured. */
  static String latencies() {
    StringBuilder text = new StringBuilder("{\"latencies\":{");
    String comma = "";
    for (int late = 0; late < LATENCIES.length(); late++) {
      long count = LATENCIES.get(late);
      if (count == 0) continue;
      text.append(comma).append('"').append(late).append("\":").append(count);
      comma = ",";
    }
    return text.append("}}").toString();
  }

  static double cpuSeconds() {
    var system = (com.sun.management.OperatingSystemMXBean)
        java.lang.management.ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() / 1e9;
  }
}
