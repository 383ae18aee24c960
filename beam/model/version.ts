/** What this SDK calls itself where runners ask: job pages show it, and support asks for it. */
export const SDK_NAME = "Beam SDK for TypeScript (order-payment-stream)";
/** That of package.json; a test compares the two. */
export const SDK_VERSION = "0.1.0";
/** Source: beam_runner_api.proto, StandardProtocols: `beam:version:sdk_base:` and the image a container is made from. */
export const SDK_BASE_CAPABILITY = `beam:version:sdk_base:order_payment_stream/beam_typescript_sdk:${SDK_VERSION}`;
