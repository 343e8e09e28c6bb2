// The reasons why a tree cannot be released.
import { credentialNames, repositoryFields } from './environment.mjs';

/** The section of a version in CHANGELOG.md: its date, and its text without the heading. */
export function changelogSection(changelog, version) {
  const sections = changelog.split(/^(?=## \[)/m);
  const section = sections.find((each) => each.startsWith(`## [${version}]`));
  if (section === undefined) return undefined;
  const [heading, ...lines] = section.split('\n');
  return { date: /\] - (.*)$/.exec(heading)?.[1] ?? '', text: lines.join('\n').trim() };
}

/**
 * `tree` has the version, the versions of other files by their names, the tags of the commit, the output of `git status
 * --porcelain`, CHANGELOG.md, and the environment.
 */
export function findObstacles({ version, others, tags, status, changelog, env }) {
  const section = changelogSection(changelog, version);
  const isDated = /^\d{4}-\d\d-\d\d$/.test(section?.date ?? '');
  return [
    ...(status === '' ? [] : ['there are changes that are not committed']),
    ...(tags.includes(`v${version}`) ? [] : [`no tag v${version} is on this commit`]),
    ...Object.entries(others)
      .filter(([, other]) => other !== version)
      .map(([file, other]) => `${file} has the version ${other}, not ${version}`),
    ...(section === undefined ? [`CHANGELOG.md has no section [${version}]`] : []),
    ...(section !== undefined && !isDated
      ? [`the section [${version}] of CHANGELOG.md has no date, but "${section.date}"`]
      : []),
    ...(section?.text === '' ? [`the section [${version}] of CHANGELOG.md is empty`] : []),
    ...(repositoryFields(env) === undefined
      ? ['GITHUB_REPOSITORY does not name the repository, such as owner/polytrace']
      : []),
    ...credentialNames(env).map((name) => `the environment has ${name}, which programs of others would see`),
  ];
}
