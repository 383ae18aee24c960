/**
 * One process has one copy of this library: DoFns, decoders and connections are registered in it, and a second copy
 * would not find what was registered in the first. Every entry loads this file first.
 */
const KEY = Symbol.for("@order-payment-stream/beam");

const known = (globalThis as Record<symbol, unknown>)[KEY];
if (known !== undefined && known !== import.meta.url) {
  throw new Error(
    `two copies of @order-payment-stream/beam are loaded, ${known} and ${import.meta.url}: have all packages that use it ` +
      "depend on one version, as a peer, and run npm dedupe",
  );
}
Object.defineProperty(globalThis, KEY, { value: import.meta.url, configurable: true });
