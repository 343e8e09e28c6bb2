/** Random choices that are the same in each run: a linear congruential generator. */

/** Returns a function that chooses a number below the given one. */
export function randomChoice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Returns a function that picks one of the given choices. */
export function randomPick(seed: number): <T>(choices: readonly T[]) => T {
  const choose = randomChoice(seed);
  return <T>(choices: readonly T[]): T => choices[choose(choices.length)] as T;
}
