// killed-update.cjs ROOT PACKAGE ARCHIVE KEY N: installs the archive, and kills itself before the Nth change of the disk.
const fs = require('node:fs');

const [root, own, file, key, count] = process.argv.slice(2);
const { openArchive } = require('../../../lib/library/archive.ts');
const { readLibraryKeys } = require('../../../lib/library/keys.ts');
const { usedLibrary } = require('../../../lib/library/installed.ts');

let left = Number(count);
for (const name of ['mkdirSync', 'openSync', 'writeSync', 'fsyncSync', 'renameSync', 'rmSync']) {
  const call = fs[name];
  fs[name] = (...args) => {
    // opened for reading: nothing changes
    const changes = name !== 'openSync' || args[1] !== 'r';
    if (changes && --left === 0) process.kill(process.pid, 'SIGKILL');
    return call(...args);
  };
}

const archive = openArchive(fs.readFileSync(file), readLibraryKeys([key], []), file);
const { installLibrary } = require('../../../lib/library/install.ts');
installLibrary(archive, { used: usedLibrary(own, root), root, polytrace: '0.1.0' });
