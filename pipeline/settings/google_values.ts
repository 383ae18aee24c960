/** How the text of a setting of Google Cloud becomes a value; see setting_values.ts. */
import { parseGcsPath } from "@order-payment-stream/gcs";
import { parsed } from "./setting_values.js";

/** gs://bucket/prefix as text, without a slash at the end. */
export const gcsUrl = parsed((value) => (parseGcsPath(value) ? value.replace(/\/+$/, "") : undefined));

/** Source: cloud.google.com/resource-manager/docs/creating-managing-projects; older ones have a domain in front. */
export const projectId = parsed((value) =>
  /^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(value) ? value : undefined,
);

export const regionName = parsed((value) => (/^[a-z]+-[a-z]+\d+$/.test(value) ? value : undefined));

/** Source: the v1b3 API, Job.name. */
export const jobName = parsed((value) =>
  /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value) ? value : undefined,
);

export const emailAddress = parsed((value) => (/^[^\s@/]+@[^\s@/]+$/.test(value) ? value : undefined));

/** Experiments, service options: with commas between them. */
export const names = parsed((value): readonly string[] | undefined => {
  const all = value
    .replace(/^\[(.*)\]$/s, "$1")
    .split(",")
    .map((each) => each.trim().replace(/^["'](.*)["']$/, "$1"))
    .filter((each) => each !== "");
  return all.length > 0 && all.every((each) => /^[\w.-]+(=.*)?$/.test(each)) ? all : undefined;
});

/** Source: cloud.google.com/compute/docs/labeling-resources. */
export const labels = parsed((value): Readonly<Record<string, string>> | undefined => {
  const pairs = value.startsWith("{")
    ? Object.entries(JSON.parse(value) as Record<string, unknown>)
    : value.split(",").map((pair) => {
        const at = pair.indexOf("=");
        return at < 0 ? [pair.trim(), undefined] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
      });
  const areValid = pairs.every(
    ([key, label]) =>
      /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key as string) &&
      typeof label === "string" &&
      /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(label),
  );
  return areValid ? (Object.fromEntries(pairs) as Record<string, string>) : undefined;
});

/** JSON from the names of steps to the names of steps. */
export const nameMapping = parsed((value): Readonly<Record<string, string>> | undefined => {
  const mapping: unknown = JSON.parse(value);
  const isMapping =
    typeof mapping === "object" &&
    mapping !== null &&
    !Array.isArray(mapping) &&
    Object.values(mapping).every((name) => typeof name === "string");
  return isMapping ? (mapping as Record<string, string>) : undefined;
});
