/** Records whose values name schemas of a registry, through the decoder of the read. */
import assert from "node:assert/strict";
import {
  type RecordCursor,
  type RecordDecoder,
  Rejected,
  registerSchemaRegistry,
} from "@order-payment-stream/kafka";
import { NotReady } from "../../../connectors/kafka/record_decoder.js";
import { eventTypes } from "../../../schemas/avro_types.js";
import { encodeConfluent, encodeOrderAvro, encodeOrderJson } from "../../../schemas/encode.js";
import type { Order } from "../../../schemas/events.js";
import type { RecordDeadLetter } from "../../../transforms/dead_letter.js";
import { ORDER_DECODER } from "../../../transforms/decode.js";
import { ConfluentRegistry } from "../../fixtures/confluent_registry.js";
import { order } from "./join_stream.js";

const REGISTRY = "registered_values_test";
const FROM = { topic: "orders", partition: 0, log: "" };
const ORDER = order({ order_id: "o-1", created_at: Date.UTC(2026, 0, 1) });
const OWN_SCHEMA = JSON.stringify(eventTypes.order.type.schema({ exportAttrs: true }));
const REVERSED = JSON.stringify({
  type: "record",
  name: "Order",
  fields: [
    { name: "amount", type: "int" },
    { name: "customer_id", type: "string" },
    { name: "created_at", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "order_date", type: "long" },
    { name: "order_id", type: "string" },
  ],
});

function recordOf(value: Buffer, header?: Buffer): RecordCursor {
  const headerBytes = header ?? Buffer.alloc(0);
  const buffer = Buffer.concat([Buffer.from([0xff]), value, headerBytes]);
  const valueEnd = 1 + value.length;
  return {
    next: () => false,
    unread: () => undefined,
    skipUnreadable: () => undefined,
    findHeader: (name) => header !== undefined && Buffer.from(name).toString() === "__value_schema_id",
    headerStart: valueEnd,
    headerEnd: buffer.length,
    offset: 7,
    batch: undefined,
    timestampMs: 0,
    buffer,
    keyStart: -1,
    keyEnd: -1,
    valueStart: 1,
    valueEnd,
  };
}

describe("values with schemas of a registry", () => {
  let server: ConfluentRegistry;
  let decoder: RecordDecoder<unknown, unknown>;

  before(async () => {
    server = await ConfluentRegistry.start();
    registerSchemaRegistry(REGISTRY, { urls: [server.url] });
  });

  beforeEach(async () => {
    decoder = ORDER_DECODER.create({
      timeoutMs: 1,
      maxAheadOfClockMs: null,
      schemaRegistry: REGISTRY,
    });
    await decoder.setup?.();
  });

  afterEach(() => decoder.teardown?.());
  after(() => server.close());

  async function decoded(record: RecordCursor, by = decoder): Promise<Order | RecordDeadLetter> {
    for (;;) {
      const result = by.decode(record, FROM, Number.MIN_SAFE_INTEGER, Date.now());
      if (result instanceof Rejected) return result.report as RecordDeadLetter;
      if (!(result instanceof NotReady)) return (result as { value: { event: Order } }).value.event;
      await new Promise<void>((resolve) => result.onReady(resolve));
    }
  }

  async function refused(record: RecordCursor, message: RegExp, by = decoder): Promise<void> {
    const letter = (await decoded(record, by)) as RecordDeadLetter;
    assert.equal(letter.reason, "UNDECODABLE", JSON.stringify(letter));
    assert.match(letter.message, message);
  }

  const headerOf = (id: number): Buffer => {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(id, 1);
    return header;
  };
  const guidBytes = (guid: string): Buffer =>
    Buffer.concat([Buffer.from([1]), Buffer.from(guid.replaceAll("-", ""), "hex")]);

  it("are read with the id in front of them, in the header, and by GUID", async () => {
    const { id, guid } = server.add("orders-value", OWN_SCHEMA);
    const framed = encodeConfluent(id, "order", ORDER);
    const body = framed.subarray(5);
    assert.deepEqual(await decoded(recordOf(framed)), ORDER);
    assert.deepEqual(await decoded(recordOf(body, headerOf(id))), ORDER);
    assert.deepEqual(await decoded(recordOf(body, guidBytes(guid))), ORDER);
    assert.deepEqual(await decoded(recordOf(Buffer.concat([guidBytes(guid), body]))), ORDER);
    const asked = server.requests.length;
    for (let i = 0; i < 10; i++) assert.deepEqual(await decoded(recordOf(framed)), ORDER);
    assert.equal(server.requests.length, asked);
  });

  it("count by their header where it contradicts what is in front", async () => {
    const { id } = server.add("orders-value", OWN_SCHEMA);
    // The body begins with what looks like another frame: an empty id is refused, so the header was believed.
    const body = Buffer.concat([Buffer.from([0]), encodeConfluent(id, "order", ORDER).subarray(6)]);
    const letter = (await decoded(recordOf(body, headerOf(id)))) as RecordDeadLetter;
    assert.equal(letter.reason === "UNDECODABLE" || letter.field === "order_id", true, letter.message);
  });

  it("are resolved to our schema", async () => {
    const { id } = server.add("orders-value", REVERSED);
    const other = server.add("others-value", '{"type":"record","name":"Other","fields":[]}');
    const { default: avsc } = await import("avsc");
    const type = avsc.Type.forSchema(JSON.parse(REVERSED));
    const body = type.toBuffer({ ...ORDER, created_at: ORDER.created_at * 1_000 });
    assert.deepEqual(await decoded(recordOf(Buffer.concat([headerOf(id), body]))), ORDER);
    await refused(
      recordOf(headerOf(other.id)),
      /of schema id \d+, which is no order: its schema has no field order_id/,
    );
  });

  it("of ids that there are not, of other formats and of schemas that are none become dead letters that say so", async () => {
    const framed = encodeConfluent(99_999, "order", ORDER);
    await refused(recordOf(framed), /of schema id 99999, which the schema registry at http.* does not know/);
    const json = server.add("json-value", "{}", { schemaType: "JSON" });
    await refused(recordOf(headerOf(json.id)), /a schema of type JSON, not AVRO/);
    const broken = server.add("broken-value", '{"type":"record"}');
    await refused(recordOf(headerOf(broken.id)), /its schema cannot be read/);
    await refused(recordOf(framed, Buffer.from([7, 8])), /__value_schema_id holds no schema id: 0x0708/);
    await refused(recordOf(framed.subarray(0, 3)), /ends within its schema id/);
  });

  it("stand beside single-object values and JSON", async () => {
    assert.deepEqual(await decoded(recordOf(encodeOrderAvro(ORDER))), ORDER);
    assert.deepEqual(await decoded(recordOf(encodeOrderJson(ORDER))), ORDER);
  });

  it("are refused without a registry, with what is missing", async () => {
    const plain = ORDER_DECODER.create({ timeoutMs: 1, maxAheadOfClockMs: null });
    const framed = encodeConfluent(1, "order", ORDER);
    await refused(recordOf(framed), /schema id 1, and no schema registry is configured/, plain);
    const body = framed.subarray(5);
    await refused(
      recordOf(body, headerOf(1)),
      /__value_schema_id names a schema, and no schema registry/,
      plain,
    );
  });

  it("need no registry where the writer's schema is given", async () => {
    const { default: avsc } = await import("avsc");
    const { fingerprintOf } = await import("../../../schemas/fingerprint.js");
    const type = avsc.Type.forSchema(JSON.parse(REVERSED));
    const header = Buffer.from([0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64LE(fingerprintOf(type), 2);
    const value = Buffer.concat([header, type.toBuffer({ ...ORDER, created_at: ORDER.created_at * 1_000 })]);
    const config = { timeoutMs: 1, maxAheadOfClockMs: null };
    await refused(recordOf(value), /fingerprint .* is unknown/, ORDER_DECODER.create(config));
    const informed = ORDER_DECODER.create({ ...config, writerSchemas: [REVERSED] });
    assert.deepEqual(await decoded(recordOf(value), informed), ORDER);
    assert.deepEqual(await decoded(recordOf(encodeOrderAvro(ORDER)), informed), ORDER);
  });
});
