/** gs://bucket/prefix: where in Google Cloud Storage something is kept. */

export interface GcsPath {
  readonly bucket: string;
  /** Without a slash at either end; may be empty. */
  readonly prefix: string;
}

/**
 * Undefined for what is no such path.
 * Source: https://cloud.google.com/storage/docs/buckets#naming and .../objects#naming
 */
export function parseGcsPath(text: string): GcsPath | undefined {
  const [, bucket, rest] = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/+(.*))?$/s.exec(text) ?? [];
  if (bucket === undefined) return undefined;
  const prefix = (rest ?? "").replace(/\/+$/, "");
  const isOdd = /[\p{Cc}#[\]*?]/u.test(prefix) || prefix.split("/").some((part) => /^\.{0,2}$/.test(part));
  return prefix !== "" && isOdd ? undefined : { bucket, prefix };
}

export function gcsPathText({ bucket, prefix }: GcsPath): string {
  return prefix === "" ? `gs://${bucket}` : `gs://${bucket}/${prefix}`;
}
