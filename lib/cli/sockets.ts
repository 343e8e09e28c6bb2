import type { Command } from 'commander';
import type { Context } from './context.js';
export function addSocketsCommand(_p: Command, _c: Context, _d: (status: number) => void): void {}
