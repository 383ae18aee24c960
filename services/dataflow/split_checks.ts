/**
 * What Dataflow checks of an answer to a split: channel splits lie one behind the other and inside of what the bundle still
 * has, an element that is cut is the one between them, and each half names what it is a half of.
 */
import type { fnApi } from "@order-payment-stream/beam/protos";

/** Ends of what bundles still have of their input, by bundle and transform. */
export class SplitChecks {
  readonly #stops = new Map<string, bigint>();

  /** What is wrong, or undefined. */
  problem(bundle: string, response: fnApi.ProcessBundleSplitResponse): string | undefined {
    const { primaryRoots, residualRoots, channelSplits } = response;
    for (const { transformId, lastPrimaryElement, firstResidualElement } of channelSplits) {
      const key = `${bundle} ${transformId}`;
      const stop = this.#stops.get(key);
      if (stop !== undefined && firstResidualElement > stop) {
        return `First residual index ${firstResidualElement} of ${transformId} cannot be greater than that of the split before, ${stop}`;
      }
      if (lastPrimaryElement >= firstResidualElement) {
        return `Last primary index ${lastPrimaryElement} of ${transformId} is not before the first residual index ${firstResidualElement}`;
      }
      const cutElements = firstResidualElement - lastPrimaryElement - 1n;
      if (cutElements > 1n) return `${cutElements} elements of ${transformId} are in neither part of a split`;
      if (cutElements === 1n && (primaryRoots.length === 0 || residualRoots.length === 0)) {
        return `element ${lastPrimaryElement + 1n} of ${transformId} is cut, but its halves are not there`;
      }
      this.#stops.set(key, firstResidualElement);
    }
    if (channelSplits.length === 0 && primaryRoots.length + residualRoots.length > 0) {
      return "a split has roots, but says not where the channel is cut";
    }
    for (const root of [...primaryRoots, ...residualRoots.map(({ application }) => application)]) {
      if (!root?.transformId || !root.inputId || root.element.length === 0)
        return "a root of a split is empty";
    }
    return undefined;
  }

  forget(bundle: string): void {
    for (const key of this.#stops.keys()) if (key.startsWith(`${bundle} `)) this.#stops.delete(key);
  }
}
