/** Steps over values of any Avro type: what a writer has and we do not want. */
import type avsc from "avsc";
import type { AvroReader } from "./avro_reader.js";
import { underlying } from "./writer_schema.js";

export type Skipper = (reader: AvroReader) => void;

/** Of values in each other, such as a list of links. A deeper value is a fault. */
const DEPTH_MAX = 100;

/** @param field for messages */
export function skipperOf(type: avsc.Type, field: string): Skipper {
  return new Skippers(field).of(type);
}

class Skippers {
  /** Types may hold themselves. */
  readonly #known = new Map<avsc.Type, Skipper>();
  #depth = 0;

  constructor(private readonly field: string) {}

  of(type: avsc.Type): Skipper {
    const known = this.#known.get(type);
    if (known !== undefined) return known;
    let skip: Skipper = () => undefined;
    this.#known.set(type, (reader) => this.#deeper(reader, skip));
    skip = this.#make(underlying(type).plain);
    return this.#known.get(type)!;
  }

  #deeper(reader: AvroReader, skip: Skipper): void {
    if (this.#depth === DEPTH_MAX) {
      reader.fail(this.field, `holds values more than ${DEPTH_MAX} deep`);
      return;
    }
    this.#depth++;
    skip(reader);
    this.#depth--;
  }

  #make(type: avsc.Type): Skipper {
    const { field } = this;
    switch (type.typeName) {
      case "null":
        return () => undefined;
      case "boolean":
        return (reader) => reader.skip(field, 1);
      case "int":
      case "long":
      case "enum":
        return (reader) => {
          reader.long(field);
        };
      case "float":
        return (reader) => reader.skip(field, 4);
      case "double":
        return (reader) => reader.skip(field, 8);
      case "bytes":
      case "string":
        return (reader) => reader.skipBytes(field);
      case "fixed": {
        const { size } = type as avsc.types.FixedType;
        return (reader) => reader.skip(field, size);
      }
      case "array": {
        const skip = this.of((type as avsc.types.ArrayType).itemsType);
        return (reader) => reader.skipBlocks(field, () => skip(reader));
      }
      case "map": {
        const skip = this.of((type as avsc.types.MapType).valuesType);
        return (reader) =>
          reader.skipBlocks(field, () => {
            reader.skipBytes(field);
            skip(reader);
          });
      }
      case "record":
      case "error": {
        const skips = (type as avsc.types.RecordType).fields.map((each) => this.of(each.type));
        return (reader) => {
          for (const skip of skips) skip(reader);
        };
      }
      default:
        return this.#union(type as avsc.types.WrappedUnionType);
    }
  }

  #union({ types }: avsc.types.WrappedUnionType): Skipper {
    const skips = types.map((each) => this.of(each));
    return (reader) => {
      const branch = reader.branch(this.field, skips.length);
      if (branch >= 0) skips[branch]!(reader);
    };
  }
}
