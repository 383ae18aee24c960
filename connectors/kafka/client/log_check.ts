/**
 * What a broker says of a partition's log that does not go with what was read of it: whether it is another log, one
 * that was cut, or the same of which retention has removed the front.
 */
import { RetriableCodeError } from "./cluster.js";
import type { FetchFailures } from "./fetch_failures.js";
import type { FetchedPartition } from "./fetch_protocol.js";
import type { FetchTransport } from "./fetch_transport.js";
import { LogChangedError, OffsetOutOfRangeError } from "./kafka_errors.js";
import type { BatchMark, LogId } from "./log_id.js";
import { type Anchor, type BatchHeader, isSameLog } from "./log_identity.js";
import type { PartitionReader } from "./partition_reader.js";

const NO_ERROR = 0;
const OFFSET_OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC_OR_PARTITION = 3;

/** What resolves with true has given the subscriber something to see. */
export class LogCheck {
  constructor(
    private readonly transport: FetchTransport,
    private readonly failures: FetchFailures,
  ) {}

  /** Right after a change of leader the new one may not know its own end yet, so the log is asked once more. */
  async outOfRange(reader: PartitionReader, leader: number): Promise<boolean> {
    const { topic, partition, fetchOffset, nextOffset } = reader;
    try {
      const { earliest, latest } = await this.transport.offsetRange(leader, topic, partition);
      if (nextOffset < earliest || nextOffset > latest) {
        const log = await this.#askIds(topic);
        if (!isSameLog(reader.expectedLog, log)) return this.madeAgain(reader, leader, log);
        const found = { log: reader.log!, earliestOffset: earliest, latestOffset: latest };
        return reader.fail(new OffsetOutOfRangeError(topic, partition, nextOffset, found));
      }
      if (fetchOffset < earliest) {
        // Retention has removed what was read, and no more: there is nothing left to compare.
        reader.trust();
        return false;
      }
      return this.failures.failed(reader, new RetriableCodeError(reader.name, OFFSET_OUT_OF_RANGE));
    } catch (error) {
      return this.failures.failed(reader, error);
    }
  }

  /** The answer had no room for this partition, or the log ends in front of what was read. */
  async withoutAnchor(
    reader: PartitionReader,
    leader: number,
    anchor: Anchor,
    { lastStableOffset }: FetchedPartition,
  ): Promise<boolean> {
    if (lastStableOffset > anchor.offset) return false;
    return this.outOfRange(reader, leader);
  }

  /** The log has another batch where the anchor is. */
  async contradicts(
    reader: PartitionReader,
    leader: number,
    anchor: Anchor,
    first: BatchHeader,
  ): Promise<boolean> {
    try {
      const log = await this.#askIds(reader.topic);
      if (!isSameLog(reader.expectedLog, log)) return this.madeAgain(reader, leader, log);
      return await this.#changed(reader, leader, contradiction(anchor, first), reader.log!);
    } catch (error) {
      return this.failures.failed(reader, error);
    }
  }

  /** @param log of other ids than what was read */
  async madeAgain(reader: PartitionReader, leader: number, log: LogId): Promise<boolean> {
    try {
      return await this.#changed(reader, leader, otherIds(reader.expectedLog, log), log);
    } catch (error) {
      return this.failures.failed(reader, error);
    }
  }

  async #changed(reader: PartitionReader, leader: number, evidence: string, log: LogId): Promise<true> {
    const { topic, partition, nextOffset } = reader;
    const range = await this.transport.offsetRange(leader, topic, partition);
    const found = { log, earliestOffset: range.earliest, latestOffset: range.latest };
    return reader.fail(new LogChangedError(topic, partition, nextOffset, found, evidence));
  }

  /** Anew: a topic that was made again since they were asked for is not to be told as one that was cut. */
  async #askIds(topic: string): Promise<LogId> {
    const { clusterId, topicMetadata } = await this.transport.metadata([topic]);
    const known = topicMetadata.find((one) => one.topic === topic);
    const code = known === undefined ? UNKNOWN_TOPIC_OR_PARTITION : known.topicErrorCode;
    if (code !== NO_ERROR) throw new RetriableCodeError(topic, code);
    return { clusterId, topicId: known!.topicId };
  }
}

/** For a message. */
function contradiction(anchor: Anchor, first: BatchHeader): string {
  const text = ({ baseOffset, leaderEpoch, checksum }: BatchMark): string =>
    `of offset ${baseOffset}, epoch ${leaderEpoch} and checksum ${checksum.toString(16)}`;
  return `at offset ${anchor.offset} there was a batch ${text(anchor)} and is one ${text(first)}, so it was truncated or restored`;
}

/** For a message. */
function otherIds(was: LogId, is: LogId): string {
  return isSameLog({ ...was, topicId: "" }, { ...is, topicId: "" })
    ? `the topic was deleted and made again, its id was ${was.topicId} and is ${is.topicId}`
    : `it is in the cluster ${is.clusterId}, and what was read is in the cluster ${was.clusterId}`;
}
