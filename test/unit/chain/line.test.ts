/** Lines, checkpoints and the verifier of a chain; agent/test/unit/export-chain.test.ts has files and tampering. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  CHAIN_START,
  chainLine,
  ChainVerifier,
  hashLine,
  isSignedBy,
  parseCheckpoint,
  parseLink,
  readChainKey,
  signCheckpoint,
} from '../../../lib/chain/index.js';

const line = Buffer.from('{"a":1}');

describe('the lines of a chain', () => {
  it('are JSON with their number and the hash of the line before', () => {
    const first = chainLine(line, CHAIN_START);
    const second = chainLine(line, { sequence: 1, hash: hashLine(first) });
    assert.deepEqual(JSON.parse(second.toString()), { a: 1, chain: { seq: 2, prev: hashLine(first) } });
    assert.deepEqual(parseLink(second), { sequence: 2, previous: hashLine(first) });
  });

  it('a text that only looks like a link is none', () => {
    const link = '"chain":{"seq":1,"prev":"00"}';
    for (const text of ['{"a":1}', `{"a":1,${link}}`, chainLine(line, CHAIN_START).toString().slice(0, -1)]) {
      assert.equal(parseLink(Buffer.from(text)), undefined, text);
    }
  });
});

describe('checkpoints of a chain', () => {
  const pem = (): string =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const fields = { sequence: 7, hash: hashLine(line), oldest: 1, time: '2026-01-31T12:00:00.000Z' };

  it('are signed: another key and another value of each field do not fit', () => {
    const key = pem();
    const checkpoint = parseCheckpoint(signCheckpoint(fields, key));
    assert.ok(checkpoint !== undefined && isSignedBy(checkpoint, readChainKey(key)));
    assert.ok(!isSignedBy(checkpoint, readChainKey(pem())));
    for (const change of [{ sequence: 8 }, { hash: CHAIN_START.hash }, { oldest: 2 }, { time: '' }]) {
      assert.ok(!isSignedBy({ ...checkpoint, ...change }, readChainKey(key)), JSON.stringify(change));
    }
  });

  it('hostile lines are none', () => {
    for (const text of ['', 'null', '[]', '{', '{"sequence":"7"}', '{"sequence":1e99}']) {
      assert.equal(parseCheckpoint(text), undefined, text);
    }
  });

  it('a key of another kind is refused', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' });
    assert.throws(() => readChainKey(rsa.toString()), /rsa, not of Ed25519/);
  });
});

describe('the verifier of a chain', () => {
  it('keeps 100 problems, and counts all', () => {
    const verifier = new ChainVerifier([]);
    for (let i = 0; i < 250; i++) verifier.add(line, `f:${i}`);
    const { problems, problemCount } = verifier.finish('f');
    assert.deepEqual([problems.length, problemCount, problems[0]?.code], [100, 250, 'CHAIN_LINE']);
  });
});
