declare module "fs-native-extensions" {
  /**
   * Takes the lock of an open file for this process; false when another has it. Ends with the process. A shared one
   * needs the file open for reading, another for writing.
   */
  export function tryLock(fd: number, options?: { readonly shared?: boolean }): boolean;
}
