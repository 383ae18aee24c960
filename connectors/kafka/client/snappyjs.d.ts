declare module "snappyjs" {
  /** One block. Throws an Error when it is none, or longer than `maxLength` unpacked. */
  export function uncompress(block: Buffer, maxLength?: number): Buffer;
  export function compress(bytes: Buffer): Buffer;
}
