/** `npm run test:nightly` runs the tests: they may take long, and try everything. */
export const NIGHTLY = process.env['POLYTRACE_NIGHTLY'] === '1';
