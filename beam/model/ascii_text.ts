/**
 * Text of ASCII bytes. A short one is made of its codes, by a call that has one for each argument: that takes a third of
 * what the call into native code takes which reads text of any length.
 */

declare global {
  interface Buffer {
    /** Node's own, missing from its types; half the cost of toString("latin1") on short strings. */
    latin1Slice(start: number, end: number): string;
  }
}

/** The type leaves out that an index may lie outside: `asciiText` has seen to that. */
const of = String.fromCharCode as (...codes: (number | undefined)[]) => string;

/** The text of `buffer[start, end)`, which the buffer has; no byte of it is above 0x7f. */
export function asciiText(buffer: Buffer, start: number, end: number): string {
  const b = buffer;
  const i = start;
  // Up to the length of a UUID.
  // biome-ignore format: a line for each length
  switch (end - start) {
    case 0: return "";
    case 1: return of(b[i]);
    case 2: return of(b[i], b[i+1]);
    case 3: return of(b[i], b[i+1], b[i+2]);
    case 4: return of(b[i], b[i+1], b[i+2], b[i+3]);
    case 5: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4]);
    case 6: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5]);
    case 7: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6]);
    case 8: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7]);
    case 9: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8]);
    case 10: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9]);
    case 11: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10]);
    case 12: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11]);
    case 13: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12]);
    case 14: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13]);
    case 15: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14]);
    case 16: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15]);
    case 17: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16]);
    case 18: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17]);
    case 19: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18]);
    case 20: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19]);
    case 21: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20]);
    case 22: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21]);
    case 23: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22]);
    case 24: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23]);
    case 25: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24]);
    case 26: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25]);
    case 27: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26]);
    case 28: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27]);
    case 29: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28]);
    case 30: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29]);
    case 31: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29], b[i+30]);
    case 32: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29], b[i+30], b[i+31]);
    case 33: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29], b[i+30], b[i+31], b[i+32]);
    case 34: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29], b[i+30], b[i+31], b[i+32], b[i+33]);
    case 35: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29], b[i+30], b[i+31], b[i+32], b[i+33], b[i+34]);
    case 36: return of(b[i], b[i+1], b[i+2], b[i+3], b[i+4], b[i+5], b[i+6], b[i+7], b[i+8], b[i+9], b[i+10], b[i+11], b[i+12], b[i+13], b[i+14], b[i+15], b[i+16], b[i+17], b[i+18], b[i+19], b[i+20], b[i+21], b[i+22], b[i+23], b[i+24], b[i+25], b[i+26], b[i+27], b[i+28], b[i+29], b[i+30], b[i+31], b[i+32], b[i+33], b[i+34], b[i+35]);
    default: return buffer.latin1Slice(start, end);
  }
}
