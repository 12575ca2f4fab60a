/**
 * The program put together: services × parts, out of a Config. The only file that knows everybody; nobody knows it.
 *
 * What runs is a list of Runnables, started in order and stopped in reverse:
 *
 *   databases, bus, migrations, queues ──> relays, schedulers ──> calls to providers, consumers ──> auditor ──> doors
 *
 * So the doors open when everything behind them works, and close first; consumers finish their batch before what carries their
 * answers goes away, and databases close last.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { AmqpConfig, Config, Part, ServiceName } from './config.ts';
import { SERVICES } from './config.ts';
import { isLoopback } from './config-addresses.ts';
import { type Tools as CrewTools, buildServices, openCrew, openDatabase, runnablesOf } from './crew.ts';
import type { Database } from './db/database.ts';
import { migrate } from './db/migrate.ts';
import { auditorService } from './auditor/service.ts';
import { type Parts, backlogOf, checksOf } from './edge/checks.ts';
import { consoleDoors } from './edge/console.ts';
import { docsDoors } from './edge/docs.ts';
import { openGauges } from './edge/gauges.ts';
import { healthDoors } from './edge/health.ts';
import { type Edge, openEdge } from './edge/http.ts';
import { operationRoutes } from './edge/operations.ts';
import { openPressure } from './edge/pressure.ts';
import { sandboxRoutes } from './edge/sandbox.ts';
import { Fault } from './kernel/errors.ts';
import { watchEventLoop } from './kernel/event-loop.ts';
import { type Runnable, runnable, startAll, stopAll } from './kernel/lifecycle.ts';
import { type Telemetry, createTelemetry } from './kernel/telemetry.ts';
import { openTestClock, refuseSandboxIn } from './kernel/test-clock.ts';
import { type World, realWorld } from './kernel/world.ts';
import { queueOf } from './messaging/consumer.ts';
import { embeddedTransport } from './messaging/embedded.ts';
import { mailboxElsewhere } from './messaging/elsewhere.ts';
import { mailboxMigrations } from './messaging/messaging.ts';
import { openDeadIngester } from './messaging/rabbit-dead.ts';
import { type RabbitTransport, rabbitTransport } from './messaging/rabbit.ts';
import type { Route, Service } from './messaging/service.ts';
import type { Queue } from './messaging/transport.ts';
import { openThread } from './threads.ts';
import { VERSION } from './version.ts';

export interface App extends Runnable {
  /** Where it answers; throws before the start. */
  url(): string;
}

export interface AppOptions {
  readonly world?: World;
  readonly telemetry?: Telemetry;
  /** For tests: an answer that is not as its schema says is a 500. */
  readonly checkAnswers?: boolean;
  /** Lets some services have a thread of their own; their world is the real one, and their telemetry as the settings say. */
  readonly secondThread?: boolean;
}

type Tools = Required<AppOptions>;

/** The program, not yet started. `start` throws a Fault whose message is for the person who started it. */
export function buildApp(
  config: Config,
  { world = realWorld(), telemetry = createTelemetry({ level: config.logLevel }), checkAnswers = false, secondThread = false }: AppOptions = {},
): App {
  let edge: Edge | undefined;
  let things: readonly Runnable[] = [];
  const lifecycle = runnable(
    'waybill',
    async () => {
      prepareFolder(config.dataDir);
      const clock = config.sandbox ? openTestClock(config.dataDir) : undefined;
      if (!config.sandbox) refuseSandboxIn(config.dataDir);
      if (clock !== undefined) telemetry.log.warn({ ahead_ms: clock.ahead() }, 'this is a sandbox: its clock may be put forward');
      ({ edge, things } = compose(config, { world: clock?.world ?? world, telemetry, checkAnswers, secondThread }, clock && sandboxRoutes(clock)));
      await startAll(things);
    },
    () => stopAll(things),
  );
  return {
    ...lifecycle,
    url() {
      if (edge === undefined) throw new Error('the program has not been started');
      return edge.url();
    },
  };
}

/** Kept from other users of the machine: names and addresses of customers lie there. */
function prepareFolder(folder: string): void {
  try {
    makeFolder(resolve(folder));
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Fault('unavailable', `the data folder ${folder} cannot be written: give this user the right to, or set DATA_DIR to another one`, {
      cause: error,
    });
  }
}

/** Step by step: Node's own `recursive` (26.10) never ends below /proc, where a folder is there and nothing can be made in it. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

const onStart = (name: string, start: () => Promise<void> | void): Runnable => runnable(name, start, () => undefined);
const onStop = (name: string, stop: () => Promise<void> | void): Runnable => runnable(name, () => undefined, stop);

function compose(config: Config, tools: Tools, extra: readonly Route[] = []): { edge: Edge; things: Runnable[] } {
  const rabbit = config.amqp && openRabbit(config.amqp, config, tools);
  const transport = rabbit ?? embeddedTransport({ file: join(config.dataDir, 'bus.db'), ...tools });
  const thread = tools.secondThread ? openThread(config, transport, tools) : undefined;
  const crew = openCrew(config, { transport, shared: thread?.shared, elsewhere: thread?.elsewhere, ...tools });
  const { databases, messagings, services } = crew;
  const audited = auditedDatabases(databases, config, tools);
  const auditor = auditorService({ databases: Object.fromEntries(audited), ...tools });

  const foundation = [
    watchEventLoop(config.sandbox ? { ...tools, world: realWorld() } : tools), // a clock put forward is no standstill
    onStop('databases', async () => void (await Promise.all([...databases.values(), ...audited.values()].map((db) => db.close())))),
    transport,
    onStart('migrations', () => migrateAll(services, databases, tools.world)),
    ...[...messagings.values()].map(({ timekeeper }) => timekeeper),
    // Of all services, whichever run here: what is said before the first start of another must find its queue.
    onStart('queues', () => transport.declare(queuesOf(crew.everything))),
  ];
  const { relays, workers } = runnablesOf(crew, (name) => thread?.runs(name) !== true);
  const ingesters = rabbit ? [...messagings.values()].map(({ mailbox }) => openDeadIngester({ mailbox, transport: rabbit, ...tools })) : [];
  const runs = (part: Part, things: readonly Runnable[]): readonly Runnable[] => (config.parts.includes(part) ? things : []);
  const doors = openDoors(
    config,
    {
      transport,
      services: [...messagings.values()],
      measures: services.flatMap(({ measure }) => measure ?? []),
      consumes: config.parts.includes('worker'),
      folder: config.dataDir,
      gapLimit: config.gapLimit,
      clockIsSet: config.sandbox,
    },
    config.parts.includes('api') ? [...[...services, auditor].flatMap(({ routes }) => routes), ...extra] : [],
    tools,
  );
  const things = [
    ...foundation,
    ...runs('relay', relays),
    ...(thread === undefined ? [] : [thread]),
    ...runs('worker', [...workers, ...ingesters, ...auditor.runnables]),
    ...doors.things,
  ];
  return { edge: doors.edge, things };
}

const queuesOf = (services: readonly Service[]): Queue[] => services.map(({ name, subscriptions }) => queueOf(name, subscriptions));

/** All services as tables of contents, without running any. */
export const allServices = (config: Config, tools: CrewTools): Service[] =>
  buildServices((name) => mailboxElsewhere(name, tools.world), config, tools);

/** The queues of all services, without running any. */
export const allQueues = (config: Config, tools: CrewTools): Queue[] => queuesOf(allServices(config, tools));

function openRabbit({ url, prefix, tls }: AmqpConfig, { services }: Config, tools: Tools): RabbitTransport {
  const client = services.length === SERVICES.length ? 'waybill' : `waybill ${services.join(',')}`;
  return rabbitTransport({ broker: { url, tls, client }, prefix, ...tools });
}

/**
 * What the auditor of this process reads. Journeys go through all services: whoever runs orders reads the databases of the others, too,
 * where they can be reached; where they cannot, journeys are not looked at.
 */
function auditedDatabases(own: ReadonlyMap<ServiceName, Database>, config: Config, tools: Tools): Map<ServiceName, Database> {
  const audited = new Map(own);
  if (!own.has('orders') || own.size === SERVICES.length) return audited;
  if (config.databaseUrl === undefined) audited.delete('orders');
  else for (const name of SERVICES) if (!own.has(name)) audited.set(name, openDatabase(name, { ...config, databasePool: AUDIT_POOL }, tools));
  return audited;
}

/** The doors: the routes of the services, and the system's own. */
function openDoors(
  config: Config,
  parts: Parts,
  serviceRoutes: readonly Route[],
  { world, telemetry, checkAnswers }: Tools,
): { edge: Edge; things: Runnable[] } {
  const { metrics } = telemetry;
  metrics.build.set({ version: VERSION }, 1);
  metrics.started.set(world.now() / 1_000 - process.uptime());
  const pressure = openPressure({ world, telemetry, limits: config.shed, backlog: () => backlogOf(parts) });
  const routes = config.parts.includes('api') ? [...serviceRoutes, ...operationRoutes(parts.services, parts)] : [];
  let open = false;
  const health = healthDoors({
    world,
    metrics,
    version: VERSION,
    checks: checksOf(parts),
    ready: () => open,
    refresh: openGauges({ ...parts, world, metrics }),
  });
  const docs = docsDoors({ version: VERSION, routes, others: health });
  const edge = openEdge({
    world,
    telemetry,
    host: config.host,
    port: config.port,
    routes,
    doors: [...health, ...docs, ...(config.parts.includes('console') ? consoleDoors() : [])],
    localOnly: isLoopback(config.host) && !config.allowUnprotected,
    overloaded: pressure.overloaded,
    checkAnswers,
  });
  const readiness = runnable(
    'readiness',
    () => void (open = true),
    () => void (open = false),
  );
  return { edge, things: [pressure, edge, readiness] };
}

/** Connections to the databases of others, which are only read, and not in a hurry. */
const AUDIT_POOL = 2;

async function migrateAll(services: readonly Service[], databases: ReadonlyMap<string, Database>, world: World): Promise<void> {
  for (const { name, migrations } of services)
    await migrate(databases.get(name)!, [mailboxMigrations, { room: name, folder: migrations }], world.now());
}
