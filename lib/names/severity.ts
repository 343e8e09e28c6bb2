/** The severities of alerts, and the annotations of a policy that polytrace reads. */

/** The most serious first. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** How well a policy was tried. */
export const MATURITIES = ['stable', 'sandbox'] as const;

/** Severity of the alerts of a policy. A tag of a hook has precedence. */
export const SEVERITY_ANNOTATION = 'polytrace.io/severity';
export const MATURITY_ANNOTATION = 'polytrace.io/maturity';
/** URL of the page for whoever receives an alert of the policy. */
export const RUNBOOK_ANNOTATION = 'polytrace.io/runbook';
/** Prefix of the tag that gives a hook its severity: `severity.high`. */
export const SEVERITY_TAG = 'severity.';

export function isSeverity(text: string | undefined): text is Severity {
  return SEVERITIES.some((each) => each === text);
}

/** Returns true for a URL that a receiver of an alert can open. */
export function isRunbook(text: string): boolean {
  return /^https?:\/\/[^\s/]/.test(text) && !/[\s\p{Cc}]/u.test(text);
}
