/** Returns the object without the source lines of its instructions. */
export function withoutLines(object: Buffer): Buffer;
