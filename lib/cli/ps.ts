import type { Command } from 'commander';
import type { Context } from './context.js';
export function addProcessesCommand(_p: Command, _c: Context, _d: (status: number) => void): void {}
