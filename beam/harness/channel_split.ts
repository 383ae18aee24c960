/**
 * Where a runner's split cuts the input of a bundle. The same in all SDKs, so that a runner can foresee it: the fraction
 * is of what is left, the element in progress counts with the part of it that is left, and the cut lies inside of that
 * element if it can be split and the cut falls there. Source: beam_fn_api.proto, ProcessBundleSplitRequest.
 */
export interface SplitRequest {
  readonly fractionOfRemainder: number;
  readonly estimatedElements: number;
  /** Empty: anywhere. */
  readonly allowedPoints: readonly number[];
}

export interface ReadPosition {
  /** Of the element that was begun last; -1 before the first. */
  readonly index: number;
  /** Elements from here on are not this bundle's. */
  readonly stop: number;
  /** Of the element at `index`, 1 when it is done. */
  readonly progress: number;
}

export type ChannelCut =
  | { readonly kind: "element"; readonly fraction: number }
  | { readonly kind: "channel"; readonly stop: number };

/** What to try, in this order; an element that turns out not to be splittable leaves the channel to be cut. */
export function cutsOf(
  { index, stop, progress }: ReadPosition,
  { fractionOfRemainder, estimatedElements, allowedPoints }: SplitRequest,
): ChannelCut[] {
  const isAllowed = (point: number): boolean => allowedPoints.length === 0 || allowedPoints.includes(point);
  const total = Math.max(index + 1, Math.min(estimatedElements, stop));
  const keep = (total - index - progress) * fractionOfRemainder;
  const cuts: ChannelCut[] = [];
  if (progress < 1 && keep < 1 - progress && isAllowed(index) && isAllowed(index + 1)) {
    cuts.push({ kind: "element", fraction: keep / (1 - progress) });
  }
  const wanted = index + Math.max(1, Math.round(progress + keep));
  const point = nearestAllowed(wanted, index, stop, allowedPoints);
  if (point !== undefined && point > index && point < Math.min(stop, total)) {
    cuts.push({ kind: "channel", stop: point });
  }
  return cuts;
}

function nearestAllowed(
  wanted: number,
  index: number,
  stop: number,
  allowedPoints: readonly number[],
): number | undefined {
  if (allowedPoints.length === 0) return wanted;
  let nearest: number | undefined;
  for (const point of allowedPoints) {
    if (point <= index || point >= stop) continue;
    if (nearest === undefined || Math.abs(point - wanted) < Math.abs(nearest - wanted)) nearest = point;
  }
  return nearest;
}
