/**
 * deploy/processes.json: which processes make up the split shape, and which paths each answers.
 *
 * The longest path that begins a request's path, whole segments counted, decides who answers it. deploy/traefik/routes.yaml says the same
 * to Traefik; a test compares the two, and both with the routes there are.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Config, ConfigError, type Environment, SERVICES, SETTINGS, loadConfig } from '../../src/config.ts';

const processSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  /** What differs from the settings all of them share. */
  settings: z.partialRecord(z.enum(Object.keys(SETTINGS) as [keyof typeof SETTINGS]), z.string()),
  paths: z.array(z.string().regex(/^\/([a-z0-9._-]+(\/[a-z0-9._-]+)*)?$/)).default([]),
});
const fileSchema = z.strictObject({ processes: z.array(processSchema).min(1) });
export type ProcessEntry = z.output<typeof processSchema>;

export const PROCESSES_FILE = new URL('../../deploy/processes.json', import.meta.url);

export const readProcesses = (file: URL = PROCESSES_FILE): readonly ProcessEntry[] =>
  fileSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).processes;

/** The entry whose path begins the given one, the longest such path first; undefined when none does. Pure. */
export function answering(processes: readonly ProcessEntry[], path: string): ProcessEntry | undefined {
  const begins = (start: string): boolean => start === '/' || path === start || path.startsWith(`${start}/`);
  let best: { entry: ProcessEntry; length: number } | undefined;
  for (const entry of processes)
    for (const start of entry.paths) if (begins(start) && start.length > (best?.length ?? 0)) best = { entry, length: start.length };
  return best?.entry;
}

/** The environment of one of the processes: it listens where only this machine reaches it, at whatever port is free. */
export const environmentOf = ({ settings }: ProcessEntry, shared: Environment): Environment => ({
  ...shared,
  ...settings,
  HOST: '127.0.0.1',
  PORT: '0',
});

/** The settings of the front, after those of all processes were read. Throws ConfigError with everything that cannot work. */
export function configOfFront(processes: readonly ProcessEntry[], shared: Environment): Config {
  const missing = (['DATABASE_URL', 'AMQP_URL'] as const).filter((name) => !shared[name] && !shared[`${name}_FILE`]);
  if (missing.length > 0)
    throw new ConfigError([
      `${missing.join(' and ')} must be set: processes apart share PostgreSQL and RabbitMQ. In one process (npm start) neither is needed.`,
    ]);
  const front = loadConfig({ ...shared, SERVICES: '', PARTS: '' });
  const faults = processes.flatMap((entry) => faultsOf(entry, shared));
  const configs = faults.length > 0 ? [] : processes.map((entry) => loadConfig(environmentOf(entry, shared)));
  for (const service of SERVICES)
    for (const part of ['api', 'relay', 'worker'] as const)
      if (faults.length === 0 && !configs.some(({ services, parts }) => services.includes(service) && parts.includes(part)))
        throw new ConfigError([`deploy/processes.json has no process that runs the part ${part} of ${service}.`]);
  if (faults.length > 0) throw new ConfigError(faults);
  return front;
}

function faultsOf(entry: ProcessEntry, shared: Environment): string[] {
  try {
    loadConfig(environmentOf(entry, shared));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => `${entry.name}: ${fault}`);
  }
}
