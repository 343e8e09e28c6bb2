/** Well-known files with secrets: those of the policy `credentials`, and those of package managers and CI. */

/** Ends of paths. */
export const SECRET_ENDS = [
  '/.aws/credentials',
  '/.azure/accessTokens.json',
  '/.cargo/credentials.toml',
  '/.config/gcloud/credentials.db',
  '/.config/gh/hosts.yml',
  '/.docker/config.json',
  '/.git-credentials',
  '/.gnupg/secring.gpg',
  '/.kube/config',
  '/.netrc',
  '/.npmrc',
  '/.pgpass',
  '/.pypirc',
  '/.ssh/id_ecdsa',
  '/.ssh/id_ed25519',
  '/.ssh/id_rsa',
  '/.bash_history',
  '/.zsh_history',
  '/.yarnrc.yml',
  '/.env',
] as const;

/** Beginnings of paths. */
export const SECRET_BEGINNINGS = [
  '/etc/gshadow',
  '/etc/security/opasswd',
  '/etc/shadow',
  '/etc/ssh/ssh_host_',
  '/etc/ssl/private/',
  '/root/.ssh/',
  '/var/run/secrets/',
  '/run/secrets/',
] as const;

/** Package managers read their own settings, which may have tokens. */
export const OWN_SETTINGS: readonly string[] = ['/.npmrc', '/.yarnrc.yml', '/.pypirc', '/.cargo/credentials.toml'];

export function isSecret(path: string): boolean {
  return SECRET_ENDS.some((end) => path.endsWith(end)) || SECRET_BEGINNINGS.some((begin) => path.startsWith(begin));
}

/** True for a secret that package managers read by themselves; a script of a package has no need for it. */
export function isOwnSetting(path: string): boolean {
  return OWN_SETTINGS.some((end) => path.endsWith(end));
}
