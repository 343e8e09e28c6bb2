export type * from './compatibility.js';
export type * from './containers.js';
export type * from './events.js';
export * from './errors.js';
export type * from './kernel.js';
export * from './policy.js';
export * from './tracer.js';
export * from './output.js';
