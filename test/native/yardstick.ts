/** A fixed piece of work in a script: how slow the machine is at the moment. */

/** The processor time of the yardstick on the machine for which the limits of delays hold, in milliseconds. */
const YARDSTICK_MS = 5;

/** Defines `measureSlowness()`: at least 1. The work allocates memory as well. The script has `time()`, in milliseconds. */
export const YARDSTICK = `const text = JSON.stringify(Array.from({ length: 4000 }, (_, i) => ({ name: 'a name ' + i, values: [i, i + 0.5, String(i)] })));
const yardstick = () => {
  const start = time();
  for (let i = 0; i < 2; i++) JSON.stringify(JSON.parse(text));
  return time() - start;
};
for (let i = 0; i < 10; i++) yardstick();
const measureSlowness = () => Math.max(1, Math.min(yardstick(), yardstick(), yardstick()) / ${YARDSTICK_MS});
`;
