/** Selects nodes by their labels, with the syntax of Kubernetes. */
import { parseLabelSelector } from 'polytrace/protocol';
import { makeError } from '../errors.js';
import type { Labels } from './labels.js';

/** An empty selector selects all nodes. Throws a PolytraceError: LABELS_INVALID. */
export function parseNodeSelector(text: string): (labels: Labels) => boolean {
  if (text.trim() === '') return () => true;
  try {
    return parseLabelSelector(text);
  } catch (error) {
    const { message, hint } = error as { readonly message: string; readonly hint: string };
    throw makeError('LABELS_INVALID', message, hint);
  }
}
