"""The product's join by Beam's Python SDK, in the form that is cheapest there. Prints one line of JSON: what it counted.

The same shape as the product's graph: a splittable read of each topic, one restriction a partition, with the partition's
watermark; a GroupByKey in the global window that fires for each element; a stateful DoFn whose events wait for their
expiry by an event-time timer each. Less than the product: no conflicts, no late or malformed events, no dead letters.
"""
import argparse
import json
import sys
import time

import apache_beam as beam
from apache_beam.coders import TupleCoder, VarIntCoder, StrUtf8Coder
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import trigger, window
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

# After so many records a bundle ends, so that the watermark gets on.
CLAIMS_MAX = 20_000
FETCH_TIMEOUT_S = 30
HEADER_BYTES = 10


def read_long(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def read_text(data, at):
    length, at = read_long(data, at)
    return data[at : at + length].decode("utf8"), at + length


def decode(value, is_order):
    """None for what is no event. Avro's single-object encoding, by schemas/order.avsc and payment.avsc."""
    if value is None or value[:2] != b"\xc3\x01":
        return None
    try:
        return decode_order(value) if is_order else decode_payment(value)
    except (IndexError, UnicodeDecodeError):
        return None


def decode_order(data):
    order_id, at = read_text(data, HEADER_BYTES)
    _, at = read_long(data, at)
    created_at, _ = read_long(data, at)
    return order_id, (0, order_id, created_at)


def decode_payment(data):
    payment_id, at = read_text(data, HEADER_BYTES)
    order_id, at = read_text(data, at)
    _, at = read_long(data, at)
    created_at, _ = read_long(data, at)
    return order_id, (1, payment_id, created_at)


class PartitionProvider(beam.transforms.core.RestrictionProvider):
    def __init__(self, brokers):
        self.brokers = brokers

    def initial_restriction(self, element):
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "bench-python"})
        low, high = consumer.get_watermark_offsets(TopicPartition(*element), timeout=FETCH_TIMEOUT_S)
        consumer.close()
        return OffsetRange(low, high)

    def create_tracker(self, restriction):
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element, restriction):
        return restriction.size()


def read_partitions(brokers, orders, out_of_orderness_ms):
    """The splittable DoFn that reads a partition to the end that it had at the start."""

    class ReadPartition(beam.DoFn):
        def __init__(self):
            self.consumers = {}

        @beam.DoFn.unbounded_per_element()
        def process(
            self,
            element,
            tracker=beam.DoFn.RestrictionParam(PartitionProvider(brokers)),
            estimator=beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider()),
        ):
            topic, partition = element
            is_order = topic == orders
            restriction = tracker.current_restriction()
            position, stop = restriction.start, restriction.stop
            newest = (estimator.current_watermark() or MIN_TIMESTAMP).micros // 1000 + out_of_orderness_ms
            claims = 0
            while position < stop:
                for message in self.fetch(topic, partition, position):
                    if message.offset() >= stop:
                        position = stop
                        break
                    if not tracker.try_claim(message.offset()):
                        return
                    position = message.offset() + 1
                    claims += 1
                    decoded = decode(message.value(), is_order)
                    if decoded is None:
                        continue
                    key, event = decoded
                    if event[2] > newest:
                        newest = event[2]
                    yield window.TimestampedValue((key, event), Timestamp(micros=event[2] * 1000))
                estimator.set_watermark(Timestamp(micros=(newest - out_of_orderness_ms) * 1000))
                if claims >= CLAIMS_MAX and position < stop:
                    tracker.defer_remainder()
                    return
            tracker.try_claim(stop)

        def fetch(self, topic, partition, position):
            from confluent_kafka import Consumer, TopicPartition

            at = (topic, partition)
            consumer, expected = self.consumers.pop(at, (None, None))
            if consumer is None:
                consumer = Consumer(
                    {
                        "bootstrap.servers": brokers,
                        "group.id": "bench-python",
                        "enable.auto.commit": False,
                        "check.crcs": False,
                    }
                )
            if expected != position:
                consumer.assign([TopicPartition(topic, partition, position)])
            messages = consumer.consume(2_000, timeout=1.0)
            for message in messages:
                if message.error():
                    raise RuntimeError(str(message.error()))
            self.consumers[at] = (consumer, position + len(messages))
            return messages

        def teardown(self):
            for consumer, _ in self.consumers.values():
                consumer.close()

    return ReadPartition()


class Join(beam.DoFn):
    # kind, id and created_at of each event; removed when the last has expired.
    WAITING = BagStateSpec("waiting", TupleCoder([VarIntCoder(), StrUtf8Coder(), VarIntCoder()]))
    EXPIRY = TimerSpec("expiry", TimeDomain.WATERMARK)

    def __init__(self, timeout_ms):
        self.timeout_ms = timeout_ms
        self.pairs = Metrics.counter("bench", "pairs")
        self.unmatched = Metrics.counter("bench", "unmatched")
        self.duplicates = Metrics.counter("bench", "duplicates")

    def process(self, element, waiting=beam.DoFn.StateParam(WAITING), expiry=beam.DoFn.TimerParam(EXPIRY)):
        key, events = element
        for event in events:
            kind, name, created_at = event
            alone = True
            duplicate = False
            pairs = []
            for other in waiting.read():
                alone = False
                if other[0] == kind:
                    if other[1] == name:
                        duplicate = True
                        break
                elif abs(other[2] - created_at) <= self.timeout_ms:
                    pairs.append(other)
            if duplicate:
                self.duplicates.inc()
                continue
            waiting.add(event)
            # One that waits alone needs no tag.
            at = Timestamp(micros=(created_at + self.timeout_ms) * 1000)
            if alone:
                expiry.set(at)
            else:
                expiry.set(at, dynamic_timer_tag=str(created_at))
            for other in pairs:
                self.pairs.inc()
                yield "pair", (key, event, other)

    @on_timer(EXPIRY)
    def on_expiry(
        self,
        key=beam.DoFn.KeyParam,
        at=beam.DoFn.TimestampParam,
        waiting=beam.DoFn.StateParam(WAITING),
    ):
        expired_at = at.micros // 1000 - self.timeout_ms
        events = list(waiting.read())
        for kind, name, created_at in events:
            if created_at != expired_at:
                continue
            if not any(o[0] != kind and abs(o[2] - created_at) <= self.timeout_ms for o in events):
                self.unmatched.inc()
                yield "unmatched", (key, (kind, name, created_at), None)
        if all(created_at <= expired_at for _, _, created_at in events):
            waiting.clear()


class Count(beam.DoFn):
    def __init__(self):
        self.counted = Metrics.counter("bench", "counted")

    def process(self, _):
        self.counted.inc()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--orders", required=True)
    parser.add_argument("--payments", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--timeout_ms", type=int, required=True)
    parser.add_argument("--out_of_orderness_ms", type=int, required=True)
    known, rest = parser.parse_known_args()
    pipeline = beam.Pipeline(options=PipelineOptions(rest))
    strategy = beam.WindowInto(
        window.GlobalWindows(),
        trigger=trigger.Repeatedly(trigger.AfterCount(1)),
        accumulation_mode=trigger.AccumulationMode.DISCARDING,
        timestamp_combiner=window.TimestampCombiner.OUTPUT_AT_EARLIEST,
    )
    read = []
    for topic in (known.orders, known.payments):
        partitions = [(topic, partition) for partition in range(known.partitions)]
        read.append(
            pipeline
            | "Partitions of " + topic >> beam.Create(partitions, reshuffle=False)
            | "Read " + topic
            >> beam.ParDo(read_partitions(known.brokers, known.orders, known.out_of_orderness_ms)).with_output_types(
                beam.typehints.KV[str, beam.typehints.Tuple[int, str, int]]
            )
        )
    (
        read
        | "Flatten" >> beam.Flatten()
        | "Window" >> strategy
        | "Group" >> beam.GroupByKey()
        | "Join" >> beam.ParDo(Join(known.timeout_ms))
        | "Count" >> beam.ParDo(Count())
    )
    started = time.monotonic()
    result = pipeline.run()
    result.wait_until_finish()
    seconds = time.monotonic() - started
    counters = {c.key.metric.name: c.committed for c in result.metrics().query()["counters"]}
    names = ("pairs", "unmatched", "duplicates")
    print(json.dumps({"seconds": seconds, **{name: counters.get(name, 0) for name in names}}))


if __name__ == "__main__":
    sys.exit(main())
