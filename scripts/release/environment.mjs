// What a release knows of the place where it runs.

const CREDENTIAL = /token|secret|passw|_auth\b|credential|api_?key/i;

/** The names of variables that look like credentials. */
export const credentialNames = (env) => Object.keys(env).filter((name) => CREDENTIAL.test(name));

/** The environment for programs that run code of others: it has no credentials. */
export function cleanEnvironment(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !CREDENTIAL.test(name)));
}

/** The fields of package.json that say where the sources are. npm compares `repository` with the place that publishes. */
export function repositoryFields({ GITHUB_REPOSITORY, GITHUB_SERVER_URL = 'https://github.com' }, directory) {
  if (!/^[\w.-]+\/[\w.-]+$/.test(GITHUB_REPOSITORY ?? '')) return undefined;
  const address = `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`;
  return {
    repository: { type: 'git', url: `git+${address}.git`, ...(directory === undefined ? {} : { directory }) },
    homepage: `${address}#readme`,
    bugs: { url: `${address}/issues` },
  };
}
