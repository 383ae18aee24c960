"""The same pipeline as counter_pipeline.ts, by Beam's Python SDK. Prints one line of JSON: what the job counted."""
import argparse
import json
import sys

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer


class Generate(beam.DoFn):
    def __init__(self, elements, keys):
        self.elements = elements
        self.keys = keys

    def process(self, _):
        for i in range(self.elements):
            yield "key-%d" % (i % self.keys), i


class CountByKey(beam.DoFn):
    COUNT = ReadModifyWriteStateSpec("count", VarIntCoder())
    REPORT = TimerSpec("report", TimeDomain.WATERMARK)

    def __init__(self):
        self.reported = Metrics.distribution("bench", "reported")

    def process(self, element, count=beam.DoFn.StateParam(COUNT), report=beam.DoFn.TimerParam(REPORT)):
        count.write((count.read() or 0) + 1)
        report.set(REPORT_AT)

    @on_timer(REPORT)
    def on_report(self, key=beam.DoFn.KeyParam, count=beam.DoFn.StateParam(COUNT)):
        self.reported.update(count.read() or 0)
        yield key, count.read() or 0


# Seconds since the epoch.
REPORT_AT = 1_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--elements", type=int, required=True)
    parser.add_argument("--keys", type=int, required=True)
    known, rest = parser.parse_known_args()
    pipeline = beam.Pipeline(options=PipelineOptions(rest))
    (
        pipeline
        | beam.Impulse()
        | "Generate" >> beam.ParDo(Generate(known.elements, known.keys)).with_output_types(beam.typehints.KV[str, int])
        | "CountByKey" >> beam.ParDo(CountByKey())
    )
    result = pipeline.run()
    result.wait_until_finish()
    [reported] = [d.committed for d in result.metrics().query()["distributions"] if d.key.metric.name == "reported"]
    print(json.dumps({"count": reported.count, "sum": reported.sum, "min": reported.min, "max": reported.max}))


if __name__ == "__main__":
    sys.exit(main())
