/**
 * A PostgreSQL of a test's own, and a PgBouncer in front of it: own folders and ports, nothing flushed, gone without trace afterwards. For
 * what must not be done to a server that others use. Neither runs as root; a test that does lends them the user the package made.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificates } from './certificates.ts';
import { ask } from './databases.ts';
import { freePort, until } from './server.ts';

const run = promisify(execFile);

function found(what: string, path: string | undefined): string | undefined {
  if (path !== undefined) return path;
  if (process.env['CI'] === 'true') throw new Error(`${what} is not installed, and CI=true: install it`);
  process.stderr.write(`databases: NO ${what} INSTALLED, tests that start one are skipped\n`);
  return undefined;
}
/** Where PostgreSQL's programs are; undefined when it is not installed. */
export const clusterPrograms = found('PostgreSQL', globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1));
/** The same of PgBouncer. */
export const bouncerProgram = found(
  'PgBouncer',
  ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find((path) => existsSync(path)),
);

/** Who a server runs as when we are root, which they refuse to be. */
function servant(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => [line.split(':')[0], line.split(':')] as const),
  );
  const [, , uid, gid] = users.get('postgres') ?? users.get('nobody')!;
  return { uid: Number(uid), gid: Number(gid) };
}

/** A crash is followed by a recovery, which takes its time on a busy machine. */
const START_S = 120;

export interface PrivateServer {
  readonly url: string;
  readonly port: number;
  /** Of its first process, while it runs. */
  pid(): number;
  /** SIGQUIT: as if it had crashed; what was committed is found again at the start. SIGINT: in order, at once. */
  stop(signal: 'SIGQUIT' | 'SIGINT'): Promise<void>;
  /** Starts it again on the same data. */
  start(): Promise<void>;
  /** Ends it and removes all it had. */
  drop(): Promise<void>;
}

export interface PrivateCluster extends PrivateServer {
  /** Of the authority that vouches for it, with `tls`. */
  readonly ca: string;
}

/** Starts a server in the foreground, as somebody who is not root, in a folder of its own, and waits until it answers. */
async function serve(folder: string, command: readonly string[], url: string, port: number): Promise<PrivateServer> {
  let running: { readonly pid: number; end(signal: NodeJS.Signals): Promise<unknown> } | undefined;
  const server: PrivateServer = {
    url,
    port,
    pid() {
      if (running === undefined) throw new Error(`${command[0]} has not been started`);
      return running.pid;
    },
    async start() {
      const child = spawn(command[0]!, command.slice(1), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], ...servant() });
      let printed = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text));
      const ended = once(child, 'close');
      running = {
        pid: child.pid!,
        end(signal) {
          child.kill(signal);
          return ended;
        },
      };
      await until(
        async () => {
          if (child.exitCode !== null) throw new Error(`${command[0]} ended (${child.exitCode}) before it was ready: ${printed}`);
          return ask(url, 'select 1').then(
            () => true,
            () => undefined,
          );
        },
        `${command[0]} answers`,
        START_S,
      );
    },
    async stop(signal) {
      await running?.end(signal);
    },
    async drop() {
      await server.stop('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start().catch(async (error: unknown) => {
    await server.drop();
    throw error;
  });
  return server;
}

async function ownFolder(name: string, under = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(under, `waybill-${name}-`));
  await give(folder);
  return folder;
}

async function give(path: string): Promise<void> {
  const to = servant();
  if (to !== undefined) await chown(path, to.uid, to.gid);
}

export interface ClusterOptions {
  readonly tls?: boolean;
  /** Of postgresql.conf, e.g. `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The folder its own is made in. */
  readonly under?: string;
}

export async function startCluster({ tls = false, settings = {}, under }: ClusterOptions = {}): Promise<PrivateCluster> {
  if (clusterPrograms === undefined) throw new Error('PostgreSQL is not installed');
  const folder = await ownFolder('cluster', under);
  const data = join(folder, 'data');
  await run(join(clusterPrograms, 'initdb'), ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--no-sync', '--encoding', 'UTF8'], {
    cwd: folder,
    ...servant(),
  });
  if (tls) {
    await makeCertificates(folder);
    for (const file of await readdir(folder)) if (file.startsWith('server.') || file === 'ca.pem') await give(join(folder, file));
    await chmod(join(folder, 'server.key'), 0o600);
    await writeFile(join(data, 'pg_hba.conf'), 'local all all trust\nhostssl all all 127.0.0.1/32 trust\n');
  }
  const port = await freePort();
  const all = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    fsync: 'off',
    ...(tls ? { ssl: 'on', ssl_cert_file: join(folder, 'server.pem'), ssl_key_file: join(folder, 'server.key') } : {}),
    ...settings,
  };
  const command = [join(clusterPrograms, 'postgres'), '-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const ca = join(folder, 'ca.pem');
  const security = tls ? `?sslmode=verify-full&sslrootcert=${ca}` : '';
  return { ...(await serve(folder, command, `postgres://postgres@127.0.0.1:${port}/postgres${security}`, port)), ca };
}

/** A PgBouncer that hands the connections of a cluster around after each transaction, few of them, so that clients meet on them. */
export async function startBouncer(cluster: PrivateCluster, more: Readonly<Record<string, string>> = {}): Promise<PrivateServer> {
  if (bouncerProgram === undefined) throw new Error('PgBouncer is not installed');
  const folder = await ownFolder('bouncer');
  const port = await freePort();
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: join(folder, 'users'),
    pool_mode: 'transaction',
    default_pool_size: '6',
    max_client_conn: '500',
    ...more,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  await writeFile(join(folder, 'users'), '"postgres" ""\n', { mode: 0o644 });
  await writeFile(join(folder, 'pgbouncer.ini'), `[databases]\n* = host=127.0.0.1 port=${cluster.port}\n[pgbouncer]\n${lines.join('\n')}\n`, {
    mode: 0o644,
  });
  return serve(folder, [bouncerProgram, join(folder, 'pgbouncer.ini')], `postgres://postgres@127.0.0.1:${port}/postgres`, port);
}
