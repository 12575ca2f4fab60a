/**
 * The server as a process: settings in, one line that says where it is, work until told to stop, an exit code out.
 *
 * | exit code | meaning |
 * |---|---|
 * | 0 | asked to stop, and everything under way was finished |
 * | 1 | could not start or could not stop cleanly; the last line says why. What was accepted is kept all the same |
 * | 78 | the settings cannot work; every fault was named (78 is EX_CONFIG of sysexits.h: do not restart) |
 */
import { resolve } from 'node:path';
import { type App, buildApp } from './app.ts';
import { type Config, ConfigError, type Environment, loadConfig, processEnvironment } from './config.ts';
import { Fault } from './kernel/errors.ts';
import { armFailpoints } from './kernel/failpoints.ts';
import type { Telemetry } from './kernel/telemetry.ts';
import { realWorld } from './kernel/world.ts';
import { openTelemetry } from './telemetry.ts';
import { VERSION } from './version.ts';

/** For the command line, which knows the program by this file. */
export * as topology from './topology.ts';

export const EXIT = { drained: 0, failed: 1, config: 78 } as const;

/** At Ctrl-C the terminal and npm each pass the signal on: what comes so soon after the first is the same wish, not impatience. */
const SAME_WISH_MS = 500;

/** Runs the server until a signal stops it. Answers the exit code; prints to standard output and error. */
export async function runServer(environment: Environment = processEnvironment()): Promise<number> {
  let config: Config;
  try {
    config = loadConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(['waybill cannot start with these settings:', ...error.faults.map((fault) => `  - ${fault}`)].join('\n'));
    return EXIT.config;
  }
  armFailpoints(config.failpoints);
  const { telemetry, close } = await openTelemetry(config);
  const app = buildApp(config, { telemetry, secondThread: config.threads > 1 });
  const asked = stopSignal();
  try {
    await Promise.race([app.start(), asked.first]);
    if (!asked.heard())
      console.log(`Waybill ${VERSION} is at ${app.url()} (reference: /docs), its data in ${whereTheDataIs(config)}. Ctrl-C stops it.`);
    await asked.first;
    return await drain(app, telemetry, asked);
  } catch (error) {
    return explain(error, config, telemetry);
  } finally {
    asked.forget();
    await close();
  }
}

/** The folder holds what neither PostgreSQL nor RabbitMQ does. */
function whereTheDataIs({ dataDir, databaseUrl, amqp }: Config): string {
  const folder = resolve(dataDir);
  if (databaseUrl === undefined) return folder;
  const database = `PostgreSQL at ${new URL(databaseUrl).host}`;
  return amqp === undefined ? `${database} and ${folder}` : database;
}

interface Asked {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** Resolves when somebody has lost patience. */
  readonly again: Promise<'again'>;
  heard(): boolean;
  forget(): void;
}

function stopSignal(): Asked {
  const { now } = realWorld();
  const first = Promise.withResolvers<void>();
  const again = Promise.withResolvers<'again'>();
  let heardAt: number | undefined;
  const hear = (): void => {
    if (heardAt === undefined) {
      heardAt = now();
      first.resolve();
    } else if (now() - heardAt > SAME_WISH_MS) {
      again.resolve('again');
    }
  };
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.on(signal, hear);
  return {
    first: first.promise,
    again: again.promise,
    heard: () => heardAt !== undefined,
    forget() {
      for (const signal of signals) process.off(signal, hear);
    },
  };
}

async function drain(app: App, { log }: Telemetry, asked: Asked): Promise<number> {
  log.info('stopping: what is under way is finished first');
  const stopped = await Promise.race([app.stop(), asked.again]);
  if (stopped !== 'again') return EXIT.drained;
  console.error('waybill: stopped at once. Nothing accepted is lost; what was under way goes on at the next start.');
  process.exit(EXIT.failed);
}

/** One sentence for what a person can mend; the stack for what only we can. */
function explain(error: unknown, { host, port }: Config, { log }: Telemetry): number {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof Fault) console.error(`waybill: ${error.message}.`);
  else if (code === 'EADDRINUSE')
    console.error(`waybill: port ${port} of ${host} is in use. Stop the other program, or set PORT to another one (PORT=0 takes any free one).`);
  else if (code === 'EACCES') console.error(`waybill: this user may not listen on port ${port}. Set PORT to one above 1023.`);
  else if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') console.error(`waybill: ${host} is no address of this machine. Correct HOST.`);
  else log.fatal({ err: error }, 'waybill failed');
  return EXIT.failed;
}
