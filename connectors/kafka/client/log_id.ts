/** What names a log, whatever is in it. */
export interface LogId {
  /** Empty: the brokers do not tell. */
  readonly clusterId: string;
  /** As Kafka's tools show it. Empty: not told by brokers before 2.8. */
  readonly topicId: string;
}
