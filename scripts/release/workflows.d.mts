/** Returns the problems of a workflow. */
export function workflowProblems(name: string, text: string): string[];
