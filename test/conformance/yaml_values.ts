/**
 * From the JSON form in which standard_coders.yaml writes a value to the value that our coder gives.
 */

import type { Decimal } from "../../beam/model/coders/decimal.js";
import { instantFromWire } from "../../beam/model/coders/instant.js";
import { type FieldType, type Schema, schemaFromBytes } from "../../beam/model/coders/schema.js";
import { type PaneInfo, Timing } from "../../beam/model/pane.js";
import { GlobalWindow, IntervalWindow } from "../../beam/model/windows.js";
import type { CoderSpec } from "./standard_coders_yaml.js";

type Json = any;

/** Undefined when the coder's URN is not known here. */
export function valueFromJson({ urn, payload, components = [] }: CoderSpec, json: Json): unknown {
  const part = (index: number, value: Json) => valueFromJson(components[index]!, value);
  switch (urn) {
    case "beam:coder:bytes:v1":
      return Buffer.from(json, "utf8");
    case "beam:coder:bool:v1":
    case "beam:coder:string_utf8:v1":
    case "beam:coder:varint:v1":
      return json;
    case "beam:coder:double:v1":
      return Number(json);
    case "beam:coder:kv:v1":
      return { key: part(0, json.key), value: part(1, json.value) };
    case "beam:coder:iterable:v1":
    case "beam:coder:state_backed_iterable:v1":
      return json.map((element: Json) => part(0, element));
    case "beam:coder:nullable:v1":
      return json === null ? null : part(0, json);
    case "beam:coder:sharded_key:v1":
      return { key: part(0, json.key), shardId: Buffer.from(json.shardId, "utf8") };
    case "beam:coder:global_window:v1":
      return GlobalWindow.INSTANCE;
    case "beam:coder:interval_window:v1":
      return new IntervalWindow(instant(BigInt(json.end) - BigInt(json.span)), instant(json.end));
    case "beam:coder:custom_window:v1":
      return part(0, json.window);
    case "beam:coder:windowed_value:v1":
    case "beam:coder:param_windowed_value:v1":
      return {
        value: part(0, json.value),
        timestamp: instant(json.timestamp),
        windows: json.windows.map((window: Json) => part(1, window)),
        pane: pane(json.pane),
      };
    case "beam:coder:timer:v1": {
      const id = {
        key: part(0, json.userKey),
        tag: json.dynamicTimerTag,
        windows: json.windows.map((window: Json) => part(1, window)),
        clear: json.clearBit,
      };
      if (json.clearBit) return id;
      const fireTimestamp = instant(json.fireTimestamp);
      return { ...id, fireTimestamp, holdTimestamp: instant(json.holdTimestamp), pane: pane(json.pane) };
    }
    case "beam:coder:row:v1":
      return row(schemaFromBytes(Buffer.from(payload!, "latin1")), json);
    default:
      return undefined;
  }
}

function instant(millis: number | bigint): number {
  return instantFromWire(BigInt(millis));
}

function pane(json: Json): PaneInfo {
  return {
    isFirst: json.is_first,
    isLast: json.is_last,
    timing: Timing[json.timing as keyof typeof Timing],
    index: json.index,
    nonSpeculativeIndex: json.on_time_index,
  };
}

function row(schema: Schema, json: Json): unknown {
  const unknown = Object.keys(json).filter((name) => !schema.fields.some((field) => field.name === name));
  if (unknown.length > 0) throw new Error(`fields that are not in the schema: ${unknown.join()}`);
  return Object.fromEntries(
    schema.fields.map(({ name, type }) => [name, json[name] === null ? null : field(type, json[name])]),
  );
}

function field(type: FieldType, json: Json): unknown {
  if (json === null) return null;
  switch (type.kind) {
    case "int64":
      return BigInt(json);
    case "float":
      return Math.fround(Number(json));
    case "double":
      return Number(json);
    case "bytes":
      return Buffer.from(json, "utf8");
    case "array":
    case "iterable":
      return json.map((element: Json) => field(type.element, element));
    case "map":
      return new Map(
        Object.entries(json).map(([key, value]) => [field(type.key, key), field(type.value, value)]),
      );
    case "row":
      return row(type.schema, json);
    case "logical":
      if (type.urn === "beam:logical_type:millis_instant:v1") return Number(BigInt(json) + 2n ** 63n);
      if (type.urn === "beam:logical_type:decimal:v1") return decimal(json);
      return field(type.representation, json);
    default:
      return json;
  }
}

function decimal(text: string): Decimal {
  const [whole, fraction = ""] = text.split(".");
  return { unscaled: BigInt(`${whole}${fraction}`), scale: fraction.length };
}
