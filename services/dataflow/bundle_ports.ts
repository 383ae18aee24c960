/** What of a bundle's descriptor says where its elements and timers come from and go to. */
import { type fnApi, runnerApi } from "@order-payment-stream/beam/protos";

const SOURCE = "beam:runner:source:v1";
const SINK = "beam:runner:sink:v1";
export const SDF_PROCESS = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
const PAR_DO = "beam:transform:pardo:v1";

export function isSource(descriptor: fnApi.ProcessBundleDescriptor): boolean {
  return Object.values(descriptor.transforms).some(({ spec }) => spec?.urn === SDF_PROCESS);
}

/** Transforms that take from or give to the data stream. */
export function portsOf(descriptor: fnApi.ProcessBundleDescriptor): { sources: string[]; sinks: string[] } {
  const withUrn = (urn: string) =>
    Object.entries(descriptor.transforms)
      .filter(([, { spec }]) => spec?.urn === urn)
      .map(([id]) => id);
  return { sources: withUrn(SOURCE), sinks: withUrn(SINK) };
}

/** Transforms and their families of timers. */
export function timerFamiliesOf(descriptor: fnApi.ProcessBundleDescriptor): [string, string][] {
  return Object.entries(descriptor.transforms).flatMap(([id, { spec }]) =>
    spec?.urn === PAR_DO
      ? Object.keys(runnerApi.ParDoPayload.fromBinary(spec.payload).timerFamilySpecs).map(
          (family): [string, string] => [id, family],
        )
      : [],
  );
}
