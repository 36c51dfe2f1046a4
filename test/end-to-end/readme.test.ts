import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { type Desk, startDesk } from '../support/desk.js';
import { hourInASecond } from '../support/sandbox.js';

const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block.trim());

let desk: Desk;
let folder: string;
beforeAll(async () => {
  desk = await startDesk({ clockScale: hourInASecond });
  folder = mkdtempSync(join(tmpdir(), 'anneal-readme-'));
});
afterAll(async () => {
  await desk?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("the README's commands, on an empty stack", () => {
  it.each(blocks)('works in its place: %s', { timeout: 180_000 }, async (block) => {
    const { exitCode, output } = await desk.type(`set -e\n${block}`);
    expect(exitCode, output).toBe(0);
  });

  it('trained, asked and scheduled what they say', async () => {
    expect(blocks.length).toBeGreaterThanOrEqual(3);
    const { output } = await desk.type(
      '.anneal/bin/temporal workflow result --workflow-id fine-tune/stylist',
    );
    expect(output).toContain('"outcome":"promoted"');
    const asked = await desk.type('.anneal/bin/temporal workflow result --workflow-id ask-1');
    expect(asked.output).toMatch(/"source":"(model|model_retry)"/);
    const schedule = await desk.type('.anneal/bin/temporal schedule describe --schedule-id weekly');
    expect(schedule.output).toContain('fine-tune-weekly');
  });
});

describe('the anneal command beside a running stack', () => {
  const spec = () => {
    const path = join(folder, 'run.json');
    writeFileSync(path, '{"recipe":"stylist","model":"other"}');
    return path;
  };

  it('explains every value of a run', async () => {
    const { exitCode, output } = await desk.type(`./anneal explain ${spec()}`);
    expect(exitCode, output).toBe(0);
    for (const word of ['amazon.nova-micro-v1:0:128k', 'bedrock-on-demand', 'golden', 'other']) {
      expect(output).toContain(word);
    }
  });

  it('estimates what a run would cost', async () => {
    const { exitCode, output } = await desk.type(`./anneal estimate ${spec()}`);
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/\$\d+\.\d\d/);
  });

  it('shows what exists in the local cloud', async () => {
    const { exitCode, output } = await desk.type('./anneal sandbox');
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^customModel +stylist-\S+-t1 +Active/m);
  });
});
