/**
 * The whole program inside the test's process, on a free port, with a folder that is thrown away. Every answer is checked against its
 * schema. For the program as a process of its own, to be killed, see server.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, buildApp } from '../../src/app.ts';
import { type Environment, loadConfig } from '../../src/config.ts';
import { type Telemetry, createTelemetry } from '../../src/kernel/telemetry.ts';
import type { World } from '../../src/kernel/world.ts';
import { ask, throwAwayName } from './databases.ts';
import { until } from './server.ts';

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Asks a program, wherever it runs. */
export interface TestClient {
  /** Asks and answers whatever came back. */
  ask<Body = unknown>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<Body>>;
  /** GET that must succeed. */
  get<Body>(path: string): Promise<Body>;
  /** POST that must succeed. */
  post<Body>(path: string, body?: unknown, headers?: Record<string, string>): Promise<Body>;
  /** Reads `path` until `found` is content with it; throws what came last after half a minute. */
  until<Body>(path: string, found: (body: Body) => boolean): Promise<Body>;
}

export interface TestApp extends TestClient {
  url(): string;
  /** Stops and starts again on the same folder, as a new process would. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestAppOptions {
  readonly settings?: Environment;
  readonly world?: World;
  readonly telemetry?: Telemetry;
  /** A PostgreSQL server: services live in a database of their own there, which is dropped afterwards. SQLite files when absent. */
  readonly postgres?: string | undefined;
}

/** Where the services keep their data, and how it is thrown away. */
async function openGround(postgres: string | undefined): Promise<{ settings: Environment; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-app-'));
  const settings = { DATA_DIR: folder };
  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true });
  if (postgres === undefined) return { settings, remove: removeFolder };
  const name = throwAwayName();
  await ask(postgres, `create database ${name}`);
  const url = new URL(postgres);
  url.pathname = `/${name}`;
  return {
    settings: { ...settings, DATABASE_URL: url.href },
    async remove() {
      await removeFolder();
      await ask(postgres, `drop database if exists ${name} with (force)`);
    },
  };
}

export async function startApp({ settings = {}, world, telemetry, postgres }: TestAppOptions = {}): Promise<TestApp> {
  const ground = await openGround(postgres);
  const config = loadConfig({ PORT: '0', LOG_LEVEL: 'error', ...ground.settings, ...settings });
  const start = async (): Promise<App> => {
    const tools = { telemetry: telemetry ?? createTelemetry({ level: config.logLevel }), checkAnswers: true };
    const app = buildApp(config, { ...tools, ...(world && { world }) });
    await app.start();
    return app;
  };
  let app = await start().catch(async (error: unknown) => {
    await ground.remove();
    throw error;
  });

  return {
    ...clientAt(() => app.url()),
    url: () => app.url(),
    async restart() {
      await app.stop();
      app = await start();
    },
    async stop() {
      await app.stop();
      await ground.remove();
    },
  };
}

export function clientAt(url: () => string): TestClient {
  async function request<Body>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await fetch(url() + path, { method, ...sent, headers: { ...type, ...headers } });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json') === true;
    return { status: answer.status, headers: answer.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  }
  async function must<Body>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Body> {
    const answer = await request<Body>(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path} answers ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  return {
    ask: request,
    get: (path) => must('GET', path),
    post: (path, body, headers) => must('POST', path, body, headers),
    async until<Body>(path: string, found: (body: Body) => boolean) {
      let last: Body | undefined;
      const look = async (): Promise<Body | undefined> => {
        last = await must<Body>('GET', path);
        return found(last) ? last : undefined;
      };
      return until(look, `GET ${path} is as expected`).catch((error: unknown) => {
        throw new Error(`${String(error)}; last was ${JSON.stringify(last)}`);
      });
    },
  };
}
