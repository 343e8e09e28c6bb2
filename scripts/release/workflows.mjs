// Rules for the workflows of GitHub. A release and the unit tests check them.
//
// - The code of others runs with the right to read only: no job that runs a program of the repository or of an npm package has a
//   secret, a token or a right to write.
// - A job with such a right downloads what was built, and publishes it.
// - An action is named by the hash of its commit, because a tag can be moved.
import { parse } from 'yaml';

const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/;
const LOCAL = /^\.\/\.github\/workflows\/[\w-]+\.yml$/;
const SECRET = /\$\{\{[^}]*\b(secrets\.|github\.token)/;

/** Commands that run code of the repository or of npm packages. */
const FOREIGN_CODE = /(^|[\s;&|(])(npx|node|bash|sh|make|cmake)\s|\bnpm (?!publish\b)|(^|[;&|])\s*\.\//m;

/** What npm may do with rights: publish a file, without scripts. */
const PUBLISH = /\bnpm publish\b(?!.*--ignore-scripts)/;

const listSteps = (job) => job.steps ?? [];
const commands = (job) => listSteps(job).map(({ run = '' }) => run.replaceAll(/"[^"]*"|'[^']*'/g, 'TEXT'));
const rights = (permissions = {}) =>
  typeof permissions === 'string'
    ? permissions === 'read-all' || permissions === 'none'
      ? []
      : [permissions]
    : Object.entries(permissions)
        .filter(([, level]) => level === 'write')
        .map(([name]) => name);

function actionProblems(job) {
  return [job, ...listSteps(job)]
    .map(({ uses }) => uses)
    .filter((uses) => uses !== undefined && !PINNED.test(uses) && !LOCAL.test(uses))
    .map((uses) => `${uses} is not pinned to a commit`);
}

function jobProblems(job) {
  const text = JSON.stringify(job);
  const isPrivileged = rights(job.permissions).length > 0 || SECRET.test(text);
  const checkouts = listSteps(job).filter(({ uses = '' }) => uses.startsWith('actions/checkout@'));
  const keepsToken = checkouts.some((step) => step.with?.['persist-credentials'] !== false);
  return [
    ...actionProblems(job),
    ...(keepsToken ? ['the checkout keeps its token: persist-credentials: false'] : []),
    ...(/\bsecrets\.(?!GITHUB_TOKEN\b)|"inherit"/.test(text) ? ['it has a secret: use trusted publishing'] : []),
    ...(isPrivileged && checkouts.length > 0 ? ['it has rights or a token, and checks out the repository'] : []),
    ...(isPrivileged && commands(job).some((command) => FOREIGN_CODE.test(command))
      ? ['it has rights or a token, and runs code of the repository or of a package']
      : []),
    ...(commands(job).some((command) => command.split('\n').some((line) => PUBLISH.test(line)))
      ? ['npm publish runs scripts: --ignore-scripts']
      : []),
  ];
}

/** Returns the problems of a workflow. */
export function workflowProblems(name, text) {
  const workflow = parse(text);
  const problems = [
    ...(workflow.permissions === undefined ? ['it does not limit its permissions'] : []),
    ...rights(workflow.permissions).map((right) => `all jobs may write: ${right}`),
    ...(SECRET.test(JSON.stringify(workflow.env ?? {})) ? ['all jobs have a secret'] : []),
    ...(workflow.on?.pull_request_target !== undefined
      ? ['pull_request_target gives rights to the code of others']
      : []),
  ];
  const jobs = Object.entries(workflow.jobs ?? {}).flatMap(([id, job]) =>
    jobProblems(job).map((each) => `${id}: ${each}`),
  );
  return [...problems, ...jobs].map((each) => `${name}: ${each}`);
}
