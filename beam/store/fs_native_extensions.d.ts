declare module "fs-native-extensions" {
  /** Takes the lock of an open file for this process; false when another has it. Ends with the process. */
  export function tryLock(fd: number): boolean;
}
