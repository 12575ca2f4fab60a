/**
 * `npm run start:split`: the processes of deploy/processes.json on this machine, without containers, behind one port.
 *
 * They share DATABASE_URL and AMQP_URL; HOST and PORT are where all of them are reached. Each line they print begins with the name of its
 * process. A process that ends is started again; SIGTERM or Ctrl-C lets all of them finish what they have begun. Exit codes are those of
 * `npm start`: 0 drained, 1 failed, 78 settings that cannot work.
 */
import { fileURLToPath } from 'node:url';
import { type Config, ConfigError, type Environment, processEnvironment } from '../src/config.ts';
import { realWorld } from '../src/kernel/world.ts';
import { type ProcessEntry, answering, configOfFront, environmentOf, readProcesses } from './split/processes.ts';
import { type Router, openRouter } from './split/router.ts';
import { StartFailure, type Supervised, supervise } from './split/supervisor.ts';

const EXIT = { drained: 0, failed: 1, config: 78 } as const;
const LAUNCHER = fileURLToPath(new URL('../bin/waybill.mjs', import.meta.url));

async function main(environment: Environment): Promise<number> {
  const entries = readProcesses();
  let config: Config;
  try {
    config = configOfFront(entries, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(['waybill cannot start with these settings:', ...error.faults.map((fault) => `  - ${fault}`)].join('\n'));
    return EXIT.config;
  }
  const asked = stopSignal();
  const processes = new Map(entries.map((entry) => [entry.name, supervised(entry, environment)]));
  const router = await openRouter({
    host: config.host,
    port: config.port,
    world: realWorld(),
    route(path) {
      const name = answering(entries, path)?.name;
      return name === undefined ? undefined : { name, url: processes.get(name)!.url() };
    },
  });
  const all = [...processes.values()];
  try {
    const started = await Promise.race([startAll(all, router), asked]);
    if (started === 'started') {
      const host = config.host.includes(':') ? `[${config.host}]` : config.host;
      console.log(`Waybill is at http://${host}:${router.port()} (reference: /docs) in ${all.length} processes. Ctrl-C stops them.`);
      await asked;
    }
    return await drain(all, router);
  } catch (error) {
    const code = error instanceof StartFailure ? error.exitCode : EXIT.failed;
    console.error(`waybill: ${messageOf(error, config)}. The other processes are stopped.`);
    await drain(all, router);
    return code;
  }
}

const messageOf = (error: unknown, { host, port }: Config): string => {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && error.code === 'EADDRINUSE' ? `port ${port} of ${host} is in use: stop the other program, or set PORT` : error.message;
};

function supervised(entry: ProcessEntry, environment: Environment): Supervised {
  const prefix = entry.name.padEnd(14);
  return supervise({
    name: entry.name,
    command: [process.execPath, '--max-old-space-size=768', LAUNCHER, 'start'],
    environment: environmentOf(entry, environment),
    world: realWorld(),
    print: (stream, line) => (stream === 'out' ? console.log : console.error)(`${prefix}| ${line}`),
  });
}

/** The doors open when everything behind them works. */
async function startAll(processes: readonly Supervised[], router: Router): Promise<'started'> {
  await Promise.all(processes.map((one) => one.start()));
  await router.start();
  return 'started';
}

async function drain(processes: readonly Supervised[], router: Router): Promise<number> {
  await router.stop();
  const codes = await Promise.all(processes.map((one) => one.stop()));
  return codes.every((code) => code === EXIT.drained) ? EXIT.drained : EXIT.failed;
}

/** Resolves at the first signal; the ones after it are passed on by the terminal, or are the same wish. */
function stopSignal(): Promise<'stop'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve('stop'));
  });
}

process.exitCode = await main(processEnvironment());
