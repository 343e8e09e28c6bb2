/**
 * Tests a report in a real browser: Debian's Chromium, headless. POLYTRACE_SCREENSHOTS is a folder for screenshots.
 * Those in docs/images are made with it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import type { PlainEvent, PlainProcess } from '../../../types/index.js';
import { fileArgument, intArgument } from '../../../test/unit/output/arguments.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../../../test/unit/output/events.js';
import { recordedEvents } from '../../../lib/protocol/recorded-events.js';
import { ReportFile } from '../../../lib/report/file.js';
import { LiveReport } from '../../../lib/report/live.js';
import { ReportRows } from '../../../lib/report/rows.js';

const SCREENSHOTS = process.env['POLYTRACE_SCREENSHOTS'];
const SIZE = { width: 1360, height: 850 };
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Actions that the page must not take. */
interface Complaints {
  readonly violations: string[];
  readonly requests: string[];
  readonly errors: string[];
}

const START = 1_795_531_010_000_000_000n;
const eventTime = (i: number, ms = 20): { time: string; timeNs: bigint } => {
  const timeNs = START + BigInt(i * ms) * 1_000_000n;
  return { time: new Date(Number(timeNs / 1_000_000n)).toISOString(), timeNs };
};

const SHELL: PlainProcess = plainProcess({
  execId: 'shell',
  parentExecId: '',
  pid: 200,
  binary: '/usr/bin/bash',
  argv: [],
  arguments: '',
});

/** Creates events of processes that read files of several policies. */
function* createEvents(count: number): Generator<PlainEvent> {
  for (let i = 0; i < count; i += 1) {
    const pid = 1000 + Math.floor(i / 10);
    const process = plainProcess({
      execId: `p${pid}`,
      parentExecId: 'shell',
      pid,
      argv: ['-n', `${pid}`],
      arguments: `-n ${pid}`,
    });
    if (i % 10 === 0) yield execEvent({}, { ...eventTime(i), process, parent: SHELL });
    else if (i % 10 === 9) yield exitEvent({}, { ...eventTime(i), process, parent: SHELL });
    else {
      const file = fileArgument(`/srv/data/${i % 997}.txt`);
      yield kprobeEvent('security_file_permission', [file, intArgument(4, 1)], {
        ...eventTime(i),
        process,
        parent: SHELL,
        policyName: `policy-${i % 4}`,
      });
    }
  }
}

const LONG = `/${'n'.repeat(4094)}`;
const HOSTILE = [
  '</script><script>window.owned=1</script>',
  '<img src=x onerror="window.owned=1">',
  '"><svg onload=window.owned=1>',
  'javascript:window.owned=1',
  'a\u2028b\u2029c',
  '\u0000\u0007\u001b[31mred\r\n',
  '\u202egpj.exe',
  '{{constructor.constructor("window.owned=1")()}}',
  '\ud800alone',
  LONG,
];

function createHostileEvents(): PlainEvent[] {
  return HOSTILE.flatMap((name, i) => {
    const process = plainProcess({
      execId: `h${i}`,
      parentExecId: i === 0 ? '' : `h${i - 1}`,
      pid: 500 + i,
      binary: name,
      argv: [name],
      arguments: name,
      cwd: name,
    });
    const hook = { ...eventTime(i), process, policyName: name, message: name, tags: [name] };
    return [
      execEvent({}, { ...eventTime(i), process }),
      kprobeEvent('security_file_permission', [fileArgument(name), intArgument(2, 1)], hook),
    ];
  });
}

describe('a report in a browser', function () {
  this.timeout(120_000);
  let browser: Browser;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-browser-'));
    if (SCREENSHOTS !== undefined) mkdirSync(SCREENSHOTS, { recursive: true });
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGUMENTS });
  });
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function writeReport(name: string, shown: Iterable<PlainEvent>, limit?: number): Promise<string> {
    const path = join(folder, `${name}.html`);
    const rows = new ReportRows(limit === undefined ? {} : { limit });
    const file = new ReportFile(path);
    for (const event of shown) await file.write(rows.text([event]));
    await file.write(rows.end(['events.jsonl'], '1.0.0', 0));
    await file.finish();
    return pathToFileURL(path).href;
  }

  async function openPage(
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; complaints: Complaints }> {
    const context = await browser.newContext({ viewport: SIZE, ...options });
    const page = await context.newPage();
    const complaints: Complaints = { violations: [], requests: [], errors: [] };
    await page.exposeFunction('complain', (text: string) => complaints.violations.push(text));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        (window as unknown as { complain: (text: string) => void }).complain(`${violatedDirective} ${blockedURI}`);
      });
    });
    page.on('request', (request) => complaints.requests.push(request.url()));
    page.on('pageerror', (error) => complaints.errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.errors.push(message.text());
    });
    await page.goto(url);
    await page.waitForSelector('html[data-ready]');
    return { page, complaints };
  }

  async function takeScreenshot(page: Page, name: string): Promise<void> {
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }

  /**
   * Runs axe, which finds problems for people with a screen reader or without a mouse. Its script needs a page
   * without a content security policy.
   */
  async function checkAccessibility(
    url: string,
    options: BrowserContextOptions,
    prepare: (page: Page) => Promise<unknown>,
  ): Promise<string[]> {
    const { page } = await openPage(url, { ...options, bypassCSP: true });
    await prepare(page);
    await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
    const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
      'axe.run()',
    );
    await page.context().close();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
  }

  it('shows events, processes and names, and asks nobody for anything', async () => {
    const url = await writeReport('plain', [...createEvents(500), lostEvent(eventTime(500))]);
    const { page, complaints } = await openPage(url);
    assert.equal(await page.textContent('.found'), '501 events');
    assert.match((await page.textContent('.notices')) ?? '', /12 events were lost/);
    assert.equal(await page.locator('.legend button').count(), 6);
    const titles = ['Events', 'Processes', 'Files', 'Addresses', 'Binaries'];
    for (const [i, title] of titles.entries()) {
      await page.keyboard.press(String(i + 1));
      assert.match((await page.textContent(`#tab-${i}`)) ?? '', new RegExp(`^${title}`));
      assert.equal(await page.getAttribute(`#tab-${i}`, 'aria-selected'), 'true');
    }
    await page.keyboard.press('2');
    const lines = await page.evaluate(() =>
      [...document.querySelectorAll('#panel-1 .body .row')]
        .sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex')))
        .map(({ textContent }) => textContent),
    );
    assert.match(lines[0] ?? '', /^▾\/usr\/bin\/bash/);
    assert.match(lines[1] ?? '', /^▾\/usr\/bin\/cat -n 1000 pid 1000, uid 0 exit 0$/);
    assert.match(lines[2] ?? '', /read \/srv\/data\/1\.txt # policy-1/);
    assert.deepEqual(complaints, { violations: [], requests: [url], errors: [] });
    await page.context().close();
  });

  it('is used by the keyboard alone', async () => {
    const { page, complaints } = await openPage(await writeReport('keys', createEvents(500)));
    await page.keyboard.press('/');
    await page.keyboard.type('/srv/data/33.txt -start');
    await page.waitForFunction(() => document.querySelector('.found')?.textContent === '1 of 500 events');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    assert.match((await page.textContent('.details')) ?? '', /\/srv\/data\/33\.txt.*Started by.*\/usr\/bin\/bash/s);
    await page.keyboard.press('Escape');
    assert.equal(await page.isVisible('.details'), false);
    await page.keyboard.press('/');
    await page.keyboard.press('Escape');
    assert.equal(await page.textContent('.found'), '500 events');
    // the time line
    await page.focus('.plot');
    await page.keyboard.press('+');
    assert.match((await page.textContent('.found')) ?? '', /^2[45]\d of 500 events$/);
    await page.keyboard.press('Escape');
    assert.equal(await page.textContent('.found'), '500 events');
    // the last row, its neighbour, and back
    await page.focus('#panel-0 .grid');
    await page.keyboard.press('End');
    await page.waitForSelector('#event-399.active');
    await page.keyboard.press('k');
    await page.waitForSelector('#event-398.active');
    assert.equal(await page.getAttribute('#panel-0 .grid', 'aria-activedescendant'), 'event-398');
    // a name becomes a filter, and a chip removes it
    await page.keyboard.press('3');
    await page.focus('#panel-2 .grid');
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    assert.equal(await page.textContent('.found'), '1 of 500 events');
    await page.click('.chips button');
    assert.equal(await page.textContent('.found'), '500 events');
    await page.keyboard.press('?');
    assert.equal(await page.isVisible('dialog'), true);
    await page.keyboard.press('Escape');
    assert.equal(await page.isVisible('dialog'), false);
    // a process is closed and opened
    await page.keyboard.press('2');
    await page.focus('#panel-1 .grid');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.locator('#panel-1 .body .row:visible').count(), 1);
    await page.keyboard.press('ArrowRight');
    assert.ok((await page.locator('#panel-1 .body .row:visible').count()) > 10);
    assert.deepEqual(complaints.errors, []);
    await page.context().close();
  });

  it('starts and ends of processes are folded until the reader opens them, and messages are a column', async () => {
    const events = [...createEvents(50)].map((event, i) =>
      i === 1 && event.type === 'process_kprobe' ? { ...event, message: 'A secret was read' } : event,
    );
    const { page, complaints } = await openPage(await writeReport('folded', events));
    const countRows = async (): Promise<string> => (await page.textContent('#tab-0 .count')) ?? '';
    assert.equal(await countRows(), '40');
    assert.equal(await page.textContent('.found'), '50 events');
    assert.equal(await page.textContent('#panel-0 .panel-tools'), 'Starts and ends of processes: 10 folded');
    assert.match((await page.textContent('#panel-0 #event-0')) ?? '', /A secret was read/);
    await page.click('#panel-0 .panel-tools button');
    await page.waitForFunction(() => document.querySelector('#tab-0 .count')?.textContent === '50');
    // where there is nothing else, they are shown
    await page.click('.legend button:has-text("starts and ends")');
    assert.equal(await countRows(), '10');
    assert.deepEqual(complaints.errors, []);
    await page.context().close();
  });

  it('a field is searched with its name, which the page completes', async () => {
    const { page } = await openPage(await writeReport('fields', createEvents(500)));
    const searchFor = async (query: string, found: string): Promise<void> => {
      await page.fill('#search', query);
      await page.waitForFunction((text) => document.querySelector('.found')?.textContent === text, found);
    };
    await searchFor('pid:1002', '10 of 500 events');
    await searchFor('pid:100', '0 of 500 events');
    await searchFor('pid:1002 -policy:policy-1', '8 of 500 events');
    await searchFor('file:/srv/data/33.txt', '1 of 500 events');
    await searchFor('pid:1002 event:start', '1 of 500 events');
    const suggestions = (): Promise<(string | null)[]> =>
      page.evaluate(() =>
        [...document.querySelectorAll('#suggestions option')].map((each) => each.getAttribute('value')),
      );
    await page.fill('#search', 'x po');
    assert.deepEqual(await suggestions(), ['x pod:', 'x policy:']);
    await page.fill('#search', '-policy:');
    assert.deepEqual(
      (await suggestions()).sort(),
      [0, 1, 2, 3].map((i) => `-policy:policy-${i}`),
    );
    await page.context().close();
  });

  it('a link shows the same filters, order and event', async () => {
    const url = await writeReport('link', createEvents(500));
    const { page } = await openPage(url);
    await page.fill('#search', 'pid:1002');
    await page.waitForFunction(() => document.querySelector('.found')?.textContent === '10 of 500 events');
    await page.click('#panel-0 .head button:has-text("Detail")');
    await page.click('#panel-0 #event-2');
    const details = await page.textContent('.details');
    const link = page.url();
    assert.match(link, /#q=pid%3A1002&sort=4&event=\d+$/);
    const other = (await openPage(link)).page;
    assert.equal(await other.textContent('.found'), '10 of 500 events');
    assert.equal(await other.textContent('.details'), details);
    assert.equal(await other.getAttribute('#panel-0 [role=columnheader]:has-text("Detail")', 'aria-sort'), 'ascending');
    // Escape closes the details, then removes the filter
    await other.keyboard.press('Escape');
    assert.equal(await other.isVisible('.details'), false);
    await other.keyboard.press('3');
    assert.match(other.url(), /view=3/);
    for (const hash of ['#view=99&event=99999999&sort=9x&from=x', '#event=-1&view=-2', '#%'])
      assert.equal((await openPage(url + hash)).complaints.errors.length, 0, hash);
    await page.context().close();
    await other.context().close();
  });

  it('the details of an event are above everything on a phone', async () => {
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const url = await writeReport('phone', createEvents(500));
    const { page } = await openPage(url, phone);
    await page.tap('#panel-0 #event-0');
    const box = await page.locator('.details').boundingBox();
    assert.ok(box !== null && box.y > 0 && box.y + box.height <= 845 && box.width <= 390, JSON.stringify(box));
    assert.ok(await page.locator('.details').getByText('/srv/data/1.txt').first().isVisible());
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    await page.tap('.details .icon');
    assert.equal(await page.isVisible('.details'), false);
    assert.deepEqual(await checkAccessibility(url, phone, (opened) => opened.tap('#panel-0 #event-0')), []);
    await page.context().close();
  });

  it('a part of the time line is chosen with the mouse, a policy with a click', async () => {
    const { page } = await openPage(await writeReport('mouse', createEvents(500)));
    const box = await page.locator('.u-over').boundingBox();
    assert.ok(box !== null);
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 30);
    await page.mouse.up();
    await page.waitForSelector('.chips button');
    assert.match((await page.textContent('.found')) ?? '', /^1[12]\d of 500 events$/);
    await page.click('.chips button');
    await page.click('.legend button:has-text("policy-1")');
    assert.equal(await page.textContent('.found'), '100 of 500 events');
    await page.click('#panel-0 .head button:has-text("Detail")');
    assert.equal(await page.getAttribute('#panel-0 [role=columnheader]:has-text("Detail")', 'aria-sort'), 'ascending');
    await page.context().close();
  });

  it('hostile names are texts: no markup, no script, nothing invisible', async () => {
    const { page, complaints } = await openPage(await writeReport('hostile', createHostileEvents()));
    for (const key of ['1', '2', '3', '5']) {
      await page.keyboard.press(key);
      for (let i = 0; i < HOSTILE.length; i += 1) {
        await page.focus(`[role=tabpanel]:not([hidden]) .grid`);
        await page.keyboard.press('ArrowDown');
        if (key === '1' || key === '2') await page.keyboard.press('Enter');
      }
    }
    const files = await page.evaluate(() =>
      [...document.querySelectorAll('#panel-2 .body .row > :first-child')].map((cell) => cell.textContent),
    );
    assert.equal(files.length, HOSTILE.length);
    assert.ok(files.includes('</script><script>window.owned=1</script>'));
    assert.ok(files.includes('a\\u{2028}b\\u{2029}c'));
    assert.ok(files.includes('\\u{202e}gpj.exe'));
    assert.ok(files.includes('\\u{0}\\u{7}\\u{1b}[31mred\\u{d}\\u{a}'));
    // a name of 4 KiB is truncated in a row, and complete in the details
    assert.ok(files.some((name) => name === `${LONG.slice(0, 400)}…`));
    await page.keyboard.press('1');
    await page.focus('#panel-0 .grid');
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    assert.ok((await page.textContent('.details'))?.includes(LONG));
    const state = await page.evaluate(() => ({
      owned: 'owned' in window,
      elements: document.querySelectorAll('img, svg, iframe, object, link, a').length,
      scripts: document.scripts.length,
      width: document.documentElement.scrollWidth,
    }));
    assert.deepEqual(state, { owned: false, elements: 0, scripts: 1, width: SIZE.width });
    assert.deepEqual(
      { ...complaints, requests: complaints.requests.length },
      { violations: [], requests: 1, errors: [] },
    );
    await page.context().close();
  });

  it('the policy of the page is in force', async () => {
    const { page, complaints } = await openPage(await writeReport('policy', createEvents(10)));
    await page.evaluate(() => {
      document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:9/x' }));
      const style = document.createElement('style');
      style.textContent = 'body { color: red }';
      document.body.append(style);
    });
    await page.waitForTimeout(200);
    assert.deepEqual(complaints.violations.map((text) => text.split(' ')[0]).sort(), ['img-src', 'style-src-elem']);
    await page.context().close();
  });

  it('axe finds nothing, in light and dark, in every view', async () => {
    const url = await writeReport('axe', [...createEvents(300), lostEvent(eventTime(300))]);
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const key of colorScheme === 'light' ? ['1', '2', '3'] : ['2']) {
        const found = await checkAccessibility(url, { colorScheme }, async (page) => {
          await page.keyboard.press(key);
          if (key === '3') return;
          await page.focus('[role=tabpanel]:not([hidden]) .grid');
          await page.keyboard.press('ArrowDown');
          await page.keyboard.press('Enter');
        });
        assert.deepEqual(found, [], `${colorScheme} ${key}`);
      }
    }
  });

  it('the colours follow the system until the reader chooses', async () => {
    const { page } = await openPage(await writeReport('theme', createEvents(50)), { colorScheme: 'dark' });
    const backgroundColor = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await backgroundColor();
    await page.click('button:has-text("Light")');
    const light = await backgroundColor();
    assert.notEqual(light, dark);
    await page.emulateMedia({ colorScheme: 'light' });
    assert.equal(await backgroundColor(), light);
    await page.click('button:has-text("Dark")');
    assert.equal(await backgroundColor(), dark);
    await page.context().close();
  });

  it('100,000 events: soon there, few elements, and scrolling without long frames', async () => {
    const { page, complaints } = await openPage(await writeReport('many', createEvents(100_001), 100_000));
    const ready = await page.evaluate(() => performance.getEntriesByName('ready')[0]?.startTime ?? NaN);
    assert.equal(await page.textContent('.found'), '100,000 events');
    assert.match((await page.textContent('.notices')) ?? '', /^1 further events have no room/);
    await takeScreenshot(page, 'report-100000');
    const frames = await page.evaluate(async () => {
      const grid = document.querySelector('#panel-0 .grid') as HTMLElement;
      const times: number[] = [];
      let before = await new Promise<number>(requestAnimationFrame);
      for (let i = 0; i < 120; i += 1) {
        grid.scrollTop += i < 60 ? 240 : 25_000;
        const now = await new Promise<number>(requestAnimationFrame);
        times.push(now - before);
        before = now;
      }
      return times.sort((a, b) => a - b);
    });
    const elements = await page.evaluate(() => document.querySelectorAll('.body .row').length);
    const [median = NaN, worst = NaN] = [frames[60], frames.at(-1)];
    const searched = await page.evaluate(async () => {
      const search = document.querySelector('input') as HTMLInputElement;
      search.value = 'policy-1 /srv/data/33.txt';
      const from = performance.now();
      search.dispatchEvent(new Event('input'));
      while (document.querySelector('.found')?.textContent === '100,000 events')
        await new Promise(requestAnimationFrame);
      return performance.now() - from;
    });
    console.log(
      `      ready after ${ready.toFixed(0)} ms; frames while scrolling: median ${median.toFixed(1)} ms, ` +
        `longest ${worst.toFixed(1)} ms; ${elements} rows as elements; search ${searched.toFixed(0)} ms`,
    );
    // the limits allow for a busy machine
    assert.ok(ready < 20_000, `ready after ${ready} ms`);
    assert.ok(elements < 150, String(elements));
    assert.ok(median < 100, `median frame ${median} ms`);
    assert.deepEqual(
      { ...complaints, requests: complaints.requests.length },
      { violations: [], requests: 1, errors: [] },
    );
    await page.context().close();
  });

  it('a live report shows events while they come, and says when they end', async () => {
    const rows = new ReportRows({ repeatAfter: 1000 });
    const live = await LiveReport.open({ port: 0, onMissed: () => rows.forget() });
    const [first = execEvent(), ...others] = createEvents(50);
    live.write(rows.text([first]));
    const { page, complaints } = await openPage(live.url);
    const waitForCount = (text: string): Promise<unknown> =>
      page.waitForFunction((wanted) => document.querySelector('.found')?.textContent === wanted, text);
    await waitForCount('1 events');
    live.write(rows.text(others));
    await waitForCount('50 events');
    await page.click('button:has-text("Pause")');
    live.write(rows.text([...createEvents(10)]));
    await page.waitForTimeout(500);
    assert.equal(await page.textContent('.found'), '50 events');
    await page.click('button:has-text("Go on")');
    await waitForCount('60 events');
    // the list follows the end until the reader scrolls up
    const isAtEnd = (): Promise<boolean> =>
      page.evaluate(() => {
        const grid = document.querySelector('#panel-0 .grid') as HTMLElement;
        return grid.scrollTop > 0 && grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 2;
      });
    assert.equal(await isAtEnd(), true);
    await page.evaluate(() => (document.querySelector('#panel-0 .grid') as HTMLElement).scrollTo(0, 0));
    live.write(rows.text([...createEvents(10)]));
    await waitForCount('70 events');
    assert.equal(await isAtEnd(), false);
    live.write(rows.end([], '1.0.0', 0));
    await page.waitForSelector('.state[data-state=ended]');
    await live.close();
    assert.deepEqual(
      { ...complaints, requests: complaints.requests.length },
      { violations: [], requests: 2, errors: [] },
    );
    await page.context().close();
  });

  const SAMPLE = join(__dirname, '../../../docs/samples/library.jsonl');
  const sampleEvents = (): PlainEvent[] => {
    const parseLine = recordedEvents({}, undefined);
    const lines = readFileSync(SAMPLE, 'utf8').trimEnd().split('\n');
    return lines.map((line) => parseLine(line)?.view).filter((view) => view !== undefined);
  };

  if (SCREENSHOTS !== undefined) {
    it('pictures for the documentation', async () => {
      const url = await writeReport('sample', sampleEvents());
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await openPage(url, { colorScheme });
        await page.keyboard.press('2');
        await page.click('#panel-1 .tree-event');
        await takeScreenshot(page, `report-${colorScheme}`);
        await page.context().close();
      }
    });
  }
});
