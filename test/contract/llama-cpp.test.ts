import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelQuestion } from '../../src/activities/inference/client.js';
import { createNodeLlamaCppEngine } from '../../src/activities/inference/llama-cpp/node-llama-cpp.js';
import { sha256Of } from '../local/support/gguf-machine.js';
import { type LlamaCppMachine, startLlamaCppMachine } from '../local/support/llama-cpp-machine.js';
import { createReadingEngine, endless } from '../local/support/reading-engine.js';
import { tinyGguf } from '../local/support/tiny-gguf.js';
import { describeDeploymentTarget } from './deployment-target.contract.js';
import { describeGgufTarget } from './gguf-target.contract.js';
import { describeInferenceClient } from './inference-client.contract.js';

const machines: LlamaCppMachine[] = [];
/** Of `expect.poll`, on a busy machine. */
const patience = { timeout: 20_000 };

async function startMachine(engine = createReadingEngine()): Promise<LlamaCppMachine> {
  const machine = await startLlamaCppMachine(engine);
  machines.push(machine);
  return machine;
}

afterAll(() => Promise.all(machines.map((machine) => machine.close())));

describeDeploymentTarget('llama-cpp', async () => {
  const machine = await startMachine();
  const modelId = await machine.storeModel('first', tinyGguf('first'));
  return machine.fixture(modelId, await machine.storeModel('second', tinyGguf('second', 300_000)));
});

describeGgufTarget('llama-cpp', async () => {
  const machine = await startMachine();
  let files = 0;
  return {
    machine,
    newFile: async () => {
      files += 1;
      return tinyGguf(`file ${files}`, 2000);
    },
    forge: async ({ name }, other) => {
      const record = await machine.newRecords().open(name);
      await writeFile(machine.pathOf('models', `${record?.model.sha256}.gguf`), other);
    },
    remains: () => machine.modelFiles(),
  };
});

describeInferenceClient('llama-cpp', async () => {
  const machine = await startMachine();
  const { deploymentId } = await machine.deploy(
    'asked',
    await machine.storeModel('asked', tinyGguf('asked')),
  );
  return {
    client: machine.newClient(),
    modelId: deploymentId,
    unknownModelId: deploymentId.replace(/[0-9a-f]{8}$/, 'zzzzzzzz'),
    question: { system: 'Be brief.', turns: [{ role: 'user', text: 'Which colour has item 3?' }] },
  };
});

function questionTo(modelId: string, text = 'Who are you?'): ModelQuestion {
  return { modelId, system: null, turns: [{ role: 'user', text }], maxTokens: 20, temperature: 0 };
}

describe('a machine without node-llama-cpp', () => {
  it('says what to do before anything is deployed, and when it is asked', async () => {
    const machine = await startMachine();
    const { deploymentId } = await machine.deploy('alone', await machine.storeModel('a', tinyGguf('a')));
    const engine = createNodeLlamaCppEngine({ home: machine.home });
    const remedy = { type: 'InvalidInput', message: expect.stringContaining('run `anneal setup local`') };
    const target = machine.newTarget(engine);
    expect(() => target.resolve({ baseModel: 'tiny', settings: {} })).toThrow(
      expect.objectContaining(remedy) as Error,
    );
    await expect(target.create(machine.request('new', 's3://b/m.gguf'))).rejects.toMatchObject(remedy);
    await expect(machine.newClient(engine).ask(questionTo(deploymentId))).rejects.toMatchObject(remedy);
  });

  it('runs the very version whose binaries are installed', async () => {
    const read = async (path: string) => JSON.parse(await readFile(path, 'utf8'));
    const { version, integrity } = await read('training/quantiser.json');
    const { dependencies } = await read('training/node/package.json');
    const { packages } = await read('training/node/package-lock.json');
    expect(dependencies['node-llama-cpp']).toBe(version);
    for (const [platform, hash] of Object.entries(integrity)) {
      expect(packages[`node_modules/@node-llama-cpp/${platform}`].integrity).toBe(hash);
    }
  });
});

describe('settings', () => {
  it('have defaults and ranges', async () => {
    const { resolve } = (await startMachine()).newTarget();
    expect(resolve({ baseModel: 'tiny', settings: {} })).toMatchObject({
      settings: { contextTokens: 2048, threads: 1 },
      usdPerHour: 0,
    });
    const wrong = { contextTokens: 100, threads: 0, thread: 1 };
    expect(() => resolve({ baseModel: 'tiny', settings: wrong })).toThrow(
      /settings\.contextTokens: found 100; allowed: .*256[\s\S]*settings\.threads: found 0; allowed: .*1[\s\S]*thread: found an unknown field/,
    );
  });
});

describe('the file of a deployment', () => {
  it('is fetched again when it was cut off', async () => {
    const machine = await startMachine();
    const file = tinyGguf('cut');
    const deployment = await machine.deploy('cut', await machine.storeModel('cut', file));
    const path = machine.pathOf('models', `${sha256Of(file)}.gguf`);
    await truncate(path, 20);
    await machine.until(deployment, ({ status }) => status === 'ready');
    expect(await readFile(path)).toEqual(file);
  });

  it('is fetched again where a process that was killed had fetched half of it', async () => {
    const machine = await startMachine();
    const file = tinyGguf('half');
    await mkdir(machine.pathOf('models'), { recursive: true });
    const sha256 = sha256Of(file);
    // The same process number as ours, from before a restart.
    const torn = machine.pathOf('models', `.incoming.${sha256}.${process.pid}.000000000000.torn`);
    await writeFile(torn, file.subarray(0, 30));
    await machine.deploy('half', await machine.storeModel('half', file));
    expect(await machine.modelFiles()).toEqual([`${sha256}.gguf`]);
  });
});

describe('models in memory', () => {
  async function startThree({ millisecondsPerWord = 0, loadedModels = 2 } = {}) {
    const engine = createReadingEngine(millisecondsPerWord);
    const machine = await startMachine(engine);
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      ids.push((await machine.deploy(name, await machine.storeModel(name, tinyGguf(name)))).deploymentId);
    }
    const [a = '', b = '', c = ''] = ids;
    return { events: engine.events, client: machine.newClient(engine, loadedModels), a, b, c };
  }

  it('are two: the one that was not used for longest makes room', async () => {
    const { events, client, a, b, c } = await startThree();
    for (const modelId of [a, b, a, c, a]) await client.ask(questionTo(modelId));
    const memory = events.filter((event) => /^(load|dispose)/.test(event));
    expect(memory).toEqual(['load a', 'load b', 'dispose b', 'load c']);
  });

  it('take one question at a time, and are loaded once', async () => {
    const { events, client, a } = await startThree({ millisecondsPerWord: 5 });
    const questions = ['first', 'second', 'third'];
    const answers = await Promise.all(questions.map((text) => client.ask(questionTo(a, text))));
    expect(answers.map(({ text }) => text.split(' ').at(-1))).toEqual(questions);
    const order = events.filter((event) => event.startsWith('ask ')).map((event) => event.slice(4));
    expect(order.toSorted()).toEqual(questions);
    expect(events).toEqual(['load a', ...order.flatMap((text) => [`ask ${text}`, `answered ${text}`])]);
  });

  it('make room only once they have answered', async () => {
    const { events, client, a, c } = await startThree({ loadedModels: 1 });
    const controller = new AbortController();
    const answering = client.ask(questionTo(a, endless), controller.signal);
    await expect.poll(() => events, patience).toContain(`ask ${endless}`);
    const next = client.ask(questionTo(c, 'next'));
    await sleep(200);
    expect(events).toEqual(['load a', `ask ${endless}`]);
    controller.abort();
    await expect(answering).rejects.toMatchObject({ name: 'AbortError' });
    await next;
    expect(events.slice(2)).toEqual(['dispose a', 'load c', 'ask next', 'answered next']);
  });

  it('are not asked what was withdrawn, in line or half answered', async () => {
    const { events, client, a } = await startThree();
    const [first, second] = [new AbortController(), new AbortController()];
    const answering = client.ask(questionTo(a, endless), first.signal);
    await expect.poll(() => events, patience).toContain(`ask ${endless}`);
    const inLine = client.ask(questionTo(a, 'in line'), second.signal);
    const last = client.ask(questionTo(a, 'last'));
    setTimeout(() => second.abort(), 100);
    await expect(inLine).rejects.toMatchObject({ name: 'AbortError' });
    first.abort();
    await expect(answering).rejects.toMatchObject({ name: 'AbortError' });
    expect((await last).text).toContain('last');
    expect(events).toEqual(['load a', `ask ${endless}`, 'ask last', 'answered last']);
  });
});

describe('base models', () => {
  it('answer by name where a GGUF file lies beside them, and say so where none does', async () => {
    const machine = await startMachine();
    const client = machine.newClient();
    await mkdir(machine.pathOf('base-models', 'tiny'), { recursive: true });
    const path = machine.pathOf('base-models', 'tiny.gguf');
    await expect(client.ask(questionTo('tiny'))).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringContaining(`no ${path} to answer with. Convert it to q8_0 or f16`),
    });
    await writeFile(path, tinyGguf('the base'));
    expect((await client.ask(questionTo('tiny'))).text).toContain('the base was asked');
    for (const unknown of ['absent', '../models/absent']) {
      await expect(client.ask(questionTo(unknown))).rejects.toThrow(/neither a deployment nor a base model/);
    }
  });

  it('are refused where a manifest beside them says that they are another file', async () => {
    const machine = await startMachine();
    await mkdir(machine.pathOf('base-models'), { recursive: true });
    const path = machine.pathOf('base-models', 'tiny.gguf');
    await writeFile(path, tinyGguf('the base'));
    await writeFile(`${path}.json`, JSON.stringify({ sha256: '0'.repeat(64) }));
    await expect(machine.newClient().ask(questionTo('tiny'))).rejects.toThrow(/has SHA-256 .* says 0000/);
  });
});
