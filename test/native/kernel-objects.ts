/** The BPF programs, maps and links of one process and of the whole machine. Each has a name such as `prog 17`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const KINDS = ['prog', 'map', 'link'] as const;

/** The objects that the process holds. Other processes on the machine may trace as well. */
export function heldKernelObjects(pid: number): string[] {
  const folder = `/proc/${pid}/fdinfo`;
  const all = readdirSync(folder).flatMap((fd) => {
    const [, kind, id] = /^(prog|map|link)_id:\s*(\d+)$/m.exec(readInfo(join(folder, fd))) ?? [];
    return kind === undefined ? [] : [`${kind} ${id}`];
  });
  return [...new Set(all)];
}

/** Returns an empty string for a descriptor that is closed, such as the one that reads the folder. */
function readInfo(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The objects of the whole machine. */
export function listKernelObjects(): Set<string> {
  const list = (kind: string): string[] => {
    const text = execFileSync('bpftool', ['-j', kind, 'show'], { encoding: 'utf8' });
    return (JSON.parse(text) as { id: number }[]).map(({ id }) => `${kind} ${id}`);
  };
  return new Set(KINDS.flatMap(list));
}

/** Waits until the kernel has freed the objects. This happens a moment after the last descriptor is closed. */
export async function waitUntilFreed(held: readonly string[], timeoutMs = 40_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const all = listKernelObjects();
    const left = held.filter((each) => all.has(each));
    if (left.length === 0) return;
    assert.ok(performance.now() < deadline, `${left.join(', ')} are left in the kernel`);
    await delay(5);
  }
}
