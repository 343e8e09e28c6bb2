export type * from './events.js';
export * from './errors.js';
export * from './policy.js';
export * from './tracer.js';
export * from './output.js';
