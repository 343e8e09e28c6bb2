/** True in `npm run test:nightly`, where tests may take long and try every case. */
export const NIGHTLY = process.env['POLYTRACE_NIGHTLY'] === '1';
