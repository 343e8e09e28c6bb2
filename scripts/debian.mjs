// Gets packages of other Debian suites. A separate apt state keeps the package sources of the machine unchanged.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

/** Runs a program and returns its output. The message of an error begins with `purpose`. */
export function runProgram(purpose, program, args, options = {}) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  } catch (error) {
    const detail = error.code === 'ENOENT' ? `${program} is missing` : (error.stderr || error.message).trim();
    throw new Error(`${purpose}: ${program} ${args.at(-1)}: ${detail}`, { cause: error });
  }
}

/** Finds the Debian archive that this machine uses. It also provides the packages of other suites. */
export function findArchive(purpose) {
  const uris = runProgram(purpose, 'apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
  ]).split('\n');
  const uri = uris.find((each) => /^https?:.*\/debian\/?$/.test(each));
  if (!uri) throw new Error(`${purpose}: this machine has no Debian archive among its apt sources`);
  return uri;
}

/** Returns settings of apt for the packages of `suite` for an architecture. Lists, cache and sources are below `folder`. */
function aptSettings(purpose, folder, suite, architecture) {
  for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(`${folder}/${name}`, { recursive: true });
  const source = `[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${findArchive(purpose)} ${suite} main\n`;
  writeFileSync(`${folder}/sources.list`, `deb ${source}deb-src ${source}`);
  writeFileSync(`${folder}/status`, '');
  return [
    `Dir::Etc::sourcelist=${folder}/sources.list`,
    'Dir::Etc::sourceparts=/dev/null',
    'Dir::Etc::preferencesparts=/dev/null',
    `Dir::State::lists=${folder}/lists`,
    `Dir::State::status=${folder}/status`,
    `Dir::Cache=${folder}/cache`,
    'APT::Sandbox::User=root',
    `APT::Architecture=${architecture}`,
    'Acquire::Languages=none',
    'Acquire::Check-Valid-Until=false',
  ];
}

/** Writes these settings to a file for APT_CONFIG, and returns its name. */
export function writeAptConfig(purpose, folder, suite, architecture) {
  const lines = aptSettings(purpose, folder, suite, architecture).map((each) => each.replace(/=(.*)/, ' "$1";\n'));
  const file = `${folder}/apt.conf`;
  writeFileSync(file, lines.join(''));
  return file;
}

/** Returns a function that runs an apt command with these settings. */
export function privateApt(purpose, folder, suite, architecture = 'amd64') {
  const options = aptSettings(purpose, folder, suite, architecture).flatMap((option) => ['-o', option]);
  return (program, ...args) => runProgram(purpose, program, [...options, '-q', ...args], { cwd: folder });
}
