/**
 * A PostgreSQL of a test's own: its own port and folder, so that it may be stopped in the middle of everything, and leaves nothing
 * behind. Needs the server's package; nothing of an installed server is touched.
 */
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './server.ts';

const run = promisify(execFile);

/** Where the server's programs are; undefined when it is not installed. */
export const postgresPrograms: string | undefined = globSync('/usr/lib/postgresql/*/bin/').toSorted().at(-1);
if (postgresPrograms === undefined) {
  if (process.env['CI'] === 'true') throw new Error('the package postgresql is not installed, and CI=true: install it');
  process.stderr.write('databases: NO postgresql INSTALLED, tests that stop one are skipped\n');
}

/** It refuses to run as root. */
const asOther = process.getuid?.() === 0;

export interface PrivatePostgres {
  readonly port: number;
  /** Its first line is the id of the first process. */
  readonly pidFile: string;
  /** The address of its one database, by another port when there is something in between. */
  url(port?: number): string;
  /** `immediate`: as a power cut would; what was committed is found again at the start. `fast`: in order, telling everybody. */
  stop(mode: 'immediate' | 'fast'): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes all it had. */
  drop(): Promise<void>;
}

export async function startPostgres({ under = tmpdir() }: { readonly under?: string } = {}): Promise<PrivatePostgres> {
  if (postgresPrograms === undefined) throw new Error('postgresql is not installed');
  const programs = postgresPrograms;
  const folder = await mkdtemp(join(under, 'waybill-postgres-'));
  const port = await freePort();
  const data = join(folder, 'data');
  if (asOther) await run('chown', ['postgres', folder]);
  else await chmod(folder, 0o700);
  const act = async (program: string, ...given: readonly string[]): Promise<void> => {
    const command = [join(programs, program), '--pgdata', data, ...given];
    const [first, ...rest] = asOther ? ['runuser', '-u', 'postgres', '--', ...command] : command;
    await run(first!, rest, { cwd: '/' });
  };
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: folder, max_connections: 300 };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);

  const postgres: PrivatePostgres = {
    port,
    pidFile: join(data, 'postmaster.pid'),
    url: (through = port) => `postgres://postgres@127.0.0.1:${through}/postgres`,
    stop: (mode) => act('pg_ctl', 'stop', '--mode', mode),
    start: () => act('pg_ctl', 'start', '--wait', '--silent', '--log', join(folder, 'log'), '--options', options.join(' ')),
    async drop() {
      await postgres.stop('immediate').catch(() => undefined); // it may be stopped already
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await act('initdb', '--username', 'postgres', '--auth', 'trust', '--no-sync');
    await postgres.start();
  } catch (error) {
    await postgres.drop();
    throw error;
  }
  return postgres;
}
