/** For messages: the address with user and password of its URI replaced. */
export function withoutPassword(address: string): string {
  return address.replace(/\/\/[^/@]*@/, "//***@");
}
