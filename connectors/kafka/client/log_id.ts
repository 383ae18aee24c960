/** What names a log, whatever is in it. */
export interface LogId {
  /** Empty: the brokers do not tell. */
  readonly clusterId: string;
  /** As Kafka's tools show it. Empty: not told by brokers before 2.8. */
  readonly topicId: string;
}

/** A record batch, told apart from any other that was ever at the same place. */
export interface BatchMark {
  readonly baseOffset: number;
  /** Of the leader that took it. */
  readonly leaderEpoch: number;
  /** CRC-32C, as stored with it. */
  readonly checksum: number;
}
