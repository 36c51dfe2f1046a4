import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { loadConfig } from '../../src/workers/config.js';

interface Service {
  image: string;
  build?: string;
  command?: string | string[];
  environment?: Record<string, string>;
  healthcheck?: { test?: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
  network_mode?: string;
  ports?: string[];
  volumes?: string[];
}

const read = (name: string) => readFileSync(join(repositoryRoot, name), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  name: string;
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const services = Object.entries(compose.services);
const dockerfile = read('Dockerfile');
/** A tag that names a version down to the patch. */
const pinned = /^[\w./-]+:v?\d+\.\d+(\.\d+)?([.-][\w.-]+)?$/;

/** What the image compiles; below the repository, because some packages stay outside. */
let compiled: string;
beforeAll(() => {
  const [, command = ''] = /^RUN (node scripts.*) \/app\/programs$/m.exec(dockerfile) ?? [];
  const parent = join(repositoryRoot, '.anneal/cache');
  mkdirSync(parent, { recursive: true });
  compiled = mkdtempSync(join(parent, 'image-'));
  const [program = '', ...words] = command.split(' ');
  execFileSync(program, [...words, join(compiled, 'programs')], { cwd: repositoryRoot });
});
afterAll(() => rmSync(compiled, { recursive: true, force: true }));

describe('docker-compose.yml', () => {
  it('has a name, Temporal, Postgres, the local cloud and a worker', () => {
    expect(compose.name).toBe('anneal');
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining(['temporal', 'postgres', 'sandbox', 'worker']),
    );
  });

  it.each(services)('pins the image of %s', (_, { image }) => {
    expect(image).toMatch(pinned);
  });

  it.each(services)('knows whether %s is healthy, or that it ends', (name, { healthcheck }) => {
    const ends = services.some(
      ([, other]) => other.depends_on?.[name]?.condition === 'service_completed_successfully',
    );
    expect(ends ? healthcheck?.disable : healthcheck?.test?.[0]).toBe(ends ? true : 'CMD');
  });

  it.each(services)('refers from %s only to services, volumes and files that exist', (_, service) => {
    for (const name of Object.keys(service.depends_on ?? {})) expect(compose.services).toHaveProperty(name);
    const shared = /^service:(.+)$/.exec(service.network_mode ?? '')?.[1];
    if (shared) expect(compose.services).toHaveProperty(shared);
    for (const volume of service.volumes ?? [])
      expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '');
    const words = [service.command ?? [], service.healthcheck?.test ?? []].flat();
    for (const file of words.filter((word) => word.endsWith('.mjs'))) {
      expect(existsSync(join(compiled, file)), file).toBe(true);
    }
  });

  it.each(services)('opens ports of %s on loopback only', (_, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('gives the worker a configuration that loads, with and without real AWS', () => {
    const environment = compose.services.worker?.environment ?? {};
    const resolved = (given: Record<string, string>) =>
      Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, interpolate(String(value), given)]),
      );
    expect(loadConfig(resolved({}))).toMatchObject({
      cloud: 'sandbox',
      awsEndpoint: 'http://127.0.0.1:4570',
    });
    const aws = { ANNEAL_CLOUD: 'aws', ANNEAL_AWS_ENDPOINT: '', ANNEAL_AWS_ACCOUNT: '123456789012' };
    expect(loadConfig(resolved(aws))).toMatchObject({ cloud: 'aws', awsAccount: '123456789012' });
    expect(() => loadConfig(resolved({ ...aws, ANNEAL_AWS_ACCOUNT: '' }))).toThrow(/ANNEAL_AWS_ACCOUNT/);
  });
});

describe('Dockerfile', () => {
  it('builds every stage from a pinned image that has glibc', () => {
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/^node:\d+\.\d+\.\d+-bookworm-slim$/);
  });

  it('copies only what exists and what .dockerignore lets through', () => {
    const allowed =
      read('.dockerignore')
        .match(/^!(.+)$/gm)
        ?.map((line) => line.slice(1)) ?? [];
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) =>
      sources.split(' '),
    );
    expect(copied.length).toBeGreaterThan(4);
    for (const source of copied) {
      expect(existsSync(join(repositoryRoot, source)), source).toBe(true);
      expect(allowed).toContain(source);
    }
  });

  it('compiles the program that it starts, which runs', () => {
    const [, file = ''] = /^CMD \["(.+)"\]$/m.exec(dockerfile) ?? [];
    expect(existsSync(join(compiled, file))).toBe(true);
    const help = execFileSync(process.execPath, [join(compiled, 'programs/client.mjs'), '--help']);
    expect(help.toString()).toContain('Usage: anneal');
  });

  it('has what setting up local training asks for, and keeps what it installs', () => {
    expect(dockerfile).toMatch(/apt-get install .*\bpython3 python3-venv\b/);
    const [, home] = /ANNEAL_HOME=(\S+)/.exec(dockerfile) ?? [];
    expect(compose.services.worker?.volumes).toContain(`home:${home}`);
    const command = /docker compose run --rm worker (programs\/client\.mjs) (.+)/;
    const [, file = '', words = ''] = command.exec(read('docs/train-on-your-own-machine.md')) ?? [];
    const help = execFileSync(process.execPath, [join(compiled, file), ...words.split(' '), '--help']);
    expect(help.toString()).toContain('Usage: anneal setup local');
  });

  it('does not run as root', () => {
    expect(dockerfile.lastIndexOf('USER node')).toBeGreaterThan(dockerfile.lastIndexOf('RUN '));
  });
});

describe('.env.example', () => {
  const source = read('src/workers/config.ts');
  const known = [...new Set(source.match(/\b(ANNEAL_[A-Z_]+|DATABASE_URL)(?=:)/g))];
  const lines = read('.env.example').split('\n');
  const given = Object.fromEntries(
    lines.flatMap((line) => (/^([A-Z_]+)=(.*)$/.test(line) ? [line.split(/=(.*)/s).slice(0, 2)] : [])),
  ) as Record<string, string>;

  it('has every variable of the configuration, each below a line that says what it is', () => {
    expect(known.length).toBeGreaterThan(10);
    for (const name of known) {
      const index = lines.findIndex((line) => line.startsWith(`${name}=`));
      expect(index, name).toBeGreaterThan(0);
      expect(lines[index - 1], name).toMatch(/^# \S/);
    }
  });

  it('loads as it is', () => {
    expect(loadConfig(given).cloud).toBe('sandbox');
  });
});

function interpolate(value: string, given: Record<string, string>): string {
  return value.replaceAll(
    /\$\{(\w+)(:?-)([^}]*)\}/g,
    (_, name: string, operator: string, otherwise: string) => {
      const found = given[name];
      return found === undefined || (operator === ':-' && found === '') ? otherwise : found;
    },
  );
}
