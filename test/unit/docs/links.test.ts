/** Relative links in Markdown files lead to existing files and headings, and paths in the text exist. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT, readProjectFile } from '../../project.js';

const NOT_OURS = new Set(['.cache', '.git', 'build', 'coverage', 'dist', 'node_modules', 'prebuilds']);
/** Matches inline code that is a path from the root of the repository. */
const PATH = /`((?:\.ci|\.github|bench|bpf|cmake|docs|examples|lib|native|schema|scripts|test|types)\/[\w./-]*)`/g;

function listMarkdownFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : listMarkdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Removes fenced code blocks and inline code. */
const removeCode = (markdown: string): string => markdown.replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '');

/** Lists the anchors of headings, in GitHub's format. The anchor of a second heading with the same text ends with -1. */
function listAnchors(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, text = ''] of markdown.replace(/^```[^]*?^```/gm, '').matchAll(/^#+ (.*)$/gm)) {
    const name = text
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let number = 0;
    let anchor = name;
    while (anchors.has(anchor)) anchor = `${name}-${++number}`;
    anchors.add(anchor);
  }
  return anchors;
}

function findBrokenLinks(page: string): string[] {
  const text = removeCode(readFileSync(page, 'utf8'));
  const inline = [...text.matchAll(/\]\(([^)\s]+)[^)]*\)/g)];
  const defined = [...text.matchAll(/^\[[^\]]+\]: (\S+)/gm)];
  const links = [...inline, ...defined].map(([, target]) => target ?? '');
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(target)) return true;
      if (anchor === undefined) return false;
      return statSync(target).isDirectory() || !listAnchors(readFileSync(target, 'utf8')).has(anchor);
    });
}

describe('links of Markdown files', () => {
  const pages = listMarkdownFiles(ROOT);

  it('finds the pages', () => {
    const names = pages.map((page) => relative(ROOT, page));
    for (const name of ['README.md', 'docs/README.md', 'examples/README.md']) assert.ok(names.includes(name), name);
  });

  for (const page of pages) {
    it(relative(ROOT, page), () => assert.deepEqual(findBrokenLinks(page), []));
  }

  it('every path of this repository that a page names exists', () => {
    const missing = pages.flatMap((page) => {
      const text = readFileSync(page, 'utf8').replace(/^```[^]*?^```/gm, '');
      const paths = [...text.matchAll(PATH)].map(([, path]) => path ?? '');
      return paths.filter((path) => !existsSync(join(ROOT, path))).map((path) => `${relative(ROOT, page)}: ${path}`);
    });
    assert.deepEqual(missing, []);
  });

  it('docs/README.md names every page of docs/', () => {
    const map = readProjectFile('docs/README.md');
    const missing = readdirSync(join(ROOT, 'docs')).filter(
      (name) => name.endsWith('.md') && name !== 'README.md' && !map.includes(`](${name})`),
    );
    assert.deepEqual(missing, []);
  });
});
