/** Register assignments for Override of a uprobe, as policies write them. */
import assert from 'node:assert/strict';
import { parseAssignment } from '../../../lib/policy/model/assignments.js';

describe('policy: assignments of registers', () => {
  const good: readonly (readonly [string, object])[] = [
    ['rax=11', { to: 'rax', offset: 11n }],
    ['rbx = -1', { to: 'rbx', offset: -1n }],
    ['rcx=0x123', { to: 'rcx', offset: 0x123n }],
    ['rax=010', { to: 'rax', offset: 8n }],
    ['rax=18446744073709551615', { to: 'rax', offset: 2n ** 64n - 1n }],
    ['rbp=%rsp', { to: 'rbp', from: 'rsp', offset: 0n }],
    ['rsp=8%rsp', { to: 'rsp', from: 'rsp', offset: 8n }],
    ['rip=(%rsp)', { to: 'rip', from: 'rsp', memory: true, offset: 0n }],
    ['eax=1', { to: 'eax', offset: 1n }],
    ['al=%r15d', { to: 'al', from: 'r15d', offset: 0n }],
    ['r8w = 2 ( %esp )', { to: 'r8w', from: 'esp', memory: true, offset: 2n }],
    ['rdi = -0x10 ( %rbp )', { to: 'rdi', from: 'rbp', memory: true, offset: -16n }],
  ];
  for (const [text, assignment] of good) {
    it(text, () => assert.deepEqual(parseAssignment(text), { text, ...assignment }));
  }

  const bad = [
    '', 'rax', 'rax=', '=1', 'rax=1=2', 'ra x=1', 'rax=1 2', 'rax=abc', 'rax=08', 'rax=(1)', 'rax=rbx', 'rax=8(%rsp', 'rax=%ah',
    'r15=%r16', 'rax=%x0', 'rflags=0', 'cs=16', 'rax=18446744073709551616', 'rax=-9223372036854775809', 'rax=8(%rsp)x', 'rax=% rsp',
  ]; // prettier-ignore
  for (const text of bad) it(`not ${JSON.stringify(text)}`, () => assert.equal(parseAssignment(text), undefined));
});
