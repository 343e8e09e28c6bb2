/** Formats an address with its port. */

/** Puts an address that contains colons in brackets. */
export function formatEndpoint(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
