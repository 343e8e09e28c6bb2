/** Returns the object without the line info of its instructions. */
export function stripLineInfo(object: Buffer): Buffer;
