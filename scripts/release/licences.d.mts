/** True for an allowed licence, and for an expression with an allowed choice. */
export function isAllowedLicence(licence: string): boolean;
