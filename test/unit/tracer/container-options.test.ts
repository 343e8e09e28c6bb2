/** The option `containers`. */
import assert from 'node:assert/strict';
import { resolveContainerOptions } from '../../../lib/tracer/container-options.js';
import type { TracerOptions } from '../../../types/tracer.js';

const customSource = { name: 'own', start: () => Promise.resolve(), stop: () => Promise.resolve() };

describe('the option containers', () => {
  it('has defaults', () => {
    assert.equal(resolveContainerOptions(undefined), undefined);
    assert.equal(resolveContainerOptions(false), undefined);
    const expected = { sources: undefined, waitMs: 500, startWaitMs: 1500, annotations: true, sockets: {} };
    assert.deepEqual(resolveContainerOptions(true), expected);
    assert.deepEqual(resolveContainerOptions({}), expected);
  });

  it('accepts sources by name and as objects', () => {
    assert.deepEqual(resolveContainerOptions({ sources: [customSource, 'docker'] })?.sources, [customSource, 'docker']);
  });

  for (const [value, message] of [
    ['all', /containers is 'all'/],
    [{ source: [] }, /containers.source is not an option/],
    [{ sources: 'docker' }, /containers.sources is 'docker'/],
    [{ sources: ['dockerd'] }, /has 'dockerd'/],
    [{ sources: [null] }, /has null/],
    [{ sources: [{ name: 'x' }] }, /has \{ name: 'x' \}/],
    [{ sources: ['cri', 'cri'] }, /has cri twice/],
    [{ waitMs: -1 }, /containers.waitMs is -1/],
    [{ startWaitMs: 60_001 }, /containers.startWaitMs is 60001/],
    [{ sockets: { docker: 'docker.sock' } }, /containers.sockets.docker is 'docker.sock'/],
    [{ sockets: { lxd: '/x' } }, /containers.sockets.lxd is not an option/],
  ] as const) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      assert.throws(() => resolveContainerOptions(value as unknown as TracerOptions['containers']), {
        code: 'BAD_OPTION',
        message,
      });
    });
  }
});
