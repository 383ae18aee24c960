/**
 * The state of a job's keys, which the fake keeps itself, as the service does: by cell, so that a job that takes another's
 * place takes its cells over.
 */
import { fnApi } from "@order-payment-stream/beam/protos";
import type { GraphNames } from "./graph_names.js";

type Bag = fnApi.StateKey_BagUserState;

export interface Cell {
  readonly key: Bag;
  readonly values: readonly Uint8Array[];
}

/** What a bundle has written to a cell. */
export interface CellChange {
  readonly key: Bag;
  isCleared: boolean;
  appended: Uint8Array[];
}

export class UserState {
  readonly #cells = new Map<string, Cell>();

  /** How many hold something. */
  get size(): number {
    return this.#cells.size;
  }

  /** The answer to a request for a cell; undefined: it is for something else. */
  serve(changes: Map<string, CellChange>, request: fnApi.StateRequest): fnApi.StateResponse | undefined {
    const kind = request.stateKey?.type;
    if (kind?.oneofKind !== "bagUserState") return undefined;
    const key = kind.bagUserState;
    const id = idOf(key);
    const { id: requestId, request: asked } = request;
    const answer = (response: fnApi.StateResponse["response"]): fnApi.StateResponse => ({
      id: requestId,
      error: "",
      response,
    });
    const change = changes.get(id) ?? { key, isCleared: false, appended: [] };
    switch (asked.oneofKind) {
      case "get": {
        const before = change.isCleared ? [] : (this.#cells.get(id)?.values ?? []);
        const data = Buffer.concat([...before, ...change.appended]);
        return answer({ oneofKind: "get", get: { data, continuationToken: new Uint8Array() } });
      }
      case "append":
        change.appended.push(asked.append.data);
        changes.set(id, change);
        return answer({ oneofKind: "append", append: {} });
      case "clear":
        change.isCleared = true;
        change.appended = [];
        changes.set(id, change);
        return answer({ oneofKind: "clear", clear: {} });
      default:
        return { ...answer({ oneofKind: undefined }), error: `a cell takes no ${asked.oneofKind}` };
    }
  }

  /** At the end of a bundle that has succeeded. */
  commit(changes: ReadonlyMap<string, CellChange>): void {
    for (const [id, { key, isCleared, appended }] of changes) {
      const values = [...(isCleared ? [] : (this.#cells.get(id)?.values ?? [])), ...appended];
      if (values.length === 0) this.#cells.delete(id);
      else this.#cells.set(id, { key, values: [Buffer.concat(values)] });
    }
  }

  /** With the names of their steps in place of ids. */
  cells(names: GraphNames): Cell[] {
    return [...this.#cells.values()].map(({ key, values }) => ({
      key: { ...key, transformId: names.nameOf(key.transformId) },
      values,
    }));
  }

  /** Those of steps that there are no more are forgotten. */
  takeOver(cells: readonly Cell[], names: GraphNames): void {
    for (const { key, values } of cells) {
      const transformId = names.idOf(key.transformId);
      if (transformId === undefined) continue;
      const moved = { ...key, transformId };
      this.#cells.set(idOf(moved), { key: moved, values });
    }
  }
}

function idOf(key: Bag): string {
  return Buffer.from(fnApi.StateKey_BagUserState.toBinary(key)).toString("latin1");
}
