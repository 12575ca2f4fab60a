/**
 * A RabbitMQ of a test's own: its own node, ports, folders, cookie and epmd, so that it may be starved, frozen and killed, and leaves
 * nothing behind. Needs the `rabbitmq-server` package; nothing of an installed broker is touched.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificates } from './certificates.ts';
import { withRabbit } from './rabbit.ts';
import { freePort, until } from './server.ts';

const run = promisify(execFile);

/** Where the broker's programs are; undefined when it is not installed. */
export const brokerPrograms: string | undefined = globSync('/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin').toSorted().at(-1) ?? fromPath();

function fromPath(): string | undefined {
  const found = (process.env['PATH'] ?? '').split(':').find((folder) => existsSync(join(folder, 'rabbitmq-server')));
  return found !== undefined && dirname(found) !== '/usr' ? found : undefined; // Debian's own in /usr/sbin changes the user
}
if (brokerPrograms === undefined) {
  if (process.env['CI'] === 'true') throw new Error('the package rabbitmq-server is not installed, and CI=true: install it');
  process.stderr.write('brokers: NO rabbitmq-server INSTALLED, tests that kill one are skipped\n');
}

/** A cluster that was killed as a whole on a busy machine takes its time. */
const START_S = 150;

export interface PrivateBroker {
  readonly url: string;
  /** With TLS only: the same over TLS, and where the certificates are. */
  readonly tlsUrl: string;
  readonly certificates: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly port: number;
  readonly pidFile: string;
  /** Its name among brokers, and what others need to know to join it. */
  readonly node: string;
  readonly home: string;
  readonly epmd: number;
  /** Runs rabbitmqctl on it; answers what it printed. */
  control(...command: readonly string[]): Promise<string>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again on the same data. */
  start(): Promise<void>;
  /** Stops or continues the process without ending it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Ends it and removes all it had. */
  drop(): Promise<void>;
}

export interface BrokerOptions {
  readonly tls?: boolean;
  /** The folder its own is made in. */
  readonly under?: string;
  /** Another one, whose cluster it becomes part of; that one is dropped last. */
  readonly joins?: PrivateBroker;
}

export async function startBroker({ tls = false, under = tmpdir(), joins }: BrokerOptions = {}): Promise<PrivateBroker> {
  if (brokerPrograms === undefined) throw new Error('rabbitmq-server is not installed');
  const programs = brokerPrograms;
  const folder = await mkdtemp(join(under, 'waybill-broker-'));
  const home = joins?.home ?? join(folder, 'home');
  await mkdir(home, { recursive: true });
  const [port, tlsPort, distribution] = [await freePort(), await freePort(), await freePort()];
  const epmd = joins?.epmd ?? (await freePort());
  const node = `waybill_${randomBytes(4).toString('hex')}@localhost`;
  const certificates = { ca: join(folder, 'ca.pem'), certificate: join(folder, 'client.pem'), key: join(folder, 'client.key') };
  if (tls) await makeCertificates(folder);
  await writeFile(join(folder, 'rabbitmq.conf'), configuration(folder, port, tls ? tlsPort : undefined));
  await writeFile(join(folder, 'enabled_plugins'), '[].\n');
  const env = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: home, // the cookie is made there
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: node,
    RABBITMQ_DIST_PORT: String(distribution),
    // Idle schedulers that spin take the processor from everybody else here.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
    RABBITMQ_BASE: folder,
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
  };
  let ended: Promise<unknown> = Promise.resolve();
  const pid = async (): Promise<number> => Number(await readFile(join(folder, 'pid'), 'utf8'));

  const broker: PrivateBroker = {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    tlsUrl: `amqps://guest:guest@127.0.0.1:${tlsPort}`,
    certificates,
    port,
    pidFile: join(folder, 'pid'),
    node,
    home,
    epmd,
    async control(...command) {
      return (await run(join(programs, 'rabbitmqctl'), ['--quiet', ...command], { env })).stdout;
    },
    async kill() {
      process.kill(await pid(), 'SIGKILL');
      await ended;
    },
    async start() {
      const child = spawn(join(programs, 'rabbitmq-server'), [], { env, stdio: 'ignore' });
      ended = new Promise((resolve) => void child.on('close', resolve));
      await until(
        async () => {
          if (child.exitCode !== null) throw new Error(`the broker ended before it was ready (${child.exitCode})`);
          return withRabbit(broker.url, async () => true).catch(() => undefined);
        },
        'the broker answers',
        START_S,
      );
    },
    async signal(signal) {
      process.kill(await pid(), signal);
    },
    async drop() {
      await broker.kill().catch(() => undefined); // it may be dead already
      await ended;
      if (joins === undefined) await run('epmd', ['-kill'], { env }).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await broker.start();
    if (joins !== undefined) await joinCluster(broker, joins);
  } catch (error) {
    await broker.drop();
    throw error;
  }
  return broker;
}

async function joinCluster(broker: PrivateBroker, { node }: PrivateBroker): Promise<void> {
  for (const command of [['stop_app'], ['join_cluster', node], ['start_app']]) await broker.control(...command);
}

function configuration(folder: string, port: number, tlsPort: number | undefined): string {
  const plain = [`listeners.tcp.1 = 127.0.0.1:${port}`, 'disk_free_limit.absolute = 50MB', 'cluster_partition_handling = pause_minority'];
  if (tlsPort === undefined) return plain.join('\n');
  return [
    ...plain,
    `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
    `ssl_options.cacertfile = ${folder}/ca.pem`,
    `ssl_options.certfile = ${folder}/server.pem`,
    `ssl_options.keyfile = ${folder}/server.key`,
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = true',
  ].join('\n');
}
