/**
 * Settings: the only place that knows the environment.
 *
 * `SETTINGS` is the table: what there is, its default, what it means, how it is read. `loadConfig` turns an environment into a frozen
 * `Config`, or names every fault there is at once, each with its remedy. A combination that cannot work is a fault, too: better no
 * start than one that loses something later. docs/operating/settings.md holds the same table; a test compares.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { amqpFaults, databaseFaults, isLoopback, readableFile as file } from './config-addresses.ts';
import { readFailpoints } from './kernel/failpoints.ts';
import { SAMPLINGS, type TracingOptions } from './kernel/tracing.ts';

export const SERVICES = ['orders', 'payments', 'inventory', 'shipping', 'notifications'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What a process runs of its services: their doors, what carries messages, what works on them, the page for people. */
export const PARTS = ['api', 'relay', 'worker', 'console'] as const;
export type Part = (typeof PARTS)[number];

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const fail = (context: z.RefinementCtx<string>, message: string): never => {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
};

/** A list of known names, or `all`. */
const names = <Name extends string>(known: readonly Name[]) =>
  z.string().transform((text, context): readonly Name[] => {
    if (text === 'all') return known;
    const given = text.split(',').map((name) => name.trim());
    const unknown = given.filter((name) => !(known as readonly string[]).includes(name));
    if (unknown.length > 0)
      return fail(context, `does not know ${unknown.map((name) => `"${name}"`).join(', ')}; write all, or some of ${known.join(',')}`);
    return known.filter((name) => given.includes(name));
  });
const wholeNumber = (least: number, most: number) =>
  z.string().transform((text, context) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : fail(context, `must be a whole number from ${least} to ${most}`);
  });
/** Ten years: a moment much later than that cannot be written as a date, and nobody has to wait so long. */
const DURATION_MAX = 3_650 * UNITS.d;
/** `90s`, `15m`, `1h`, `2d` as milliseconds. */
const duration = z.string().transform((text, context) => {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const ms = match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : Number.NaN;
  return ms <= DURATION_MAX ? ms : fail(context, 'must be a duration such as 90s, 15m, 1h or 2d, at most 3650d');
});
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');
const url = (...protocols: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
    );
const host = z
  .string()
  .refine((text) => isIP(text) !== 0 || /^[A-Za-z0-9.-]{1,253}$/.test(text), 'must be an IP address or a host name, e.g. 127.0.0.1');
const prefix = z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/, 'must be at most 64 letters, digits, dots, dashes and underscores');
const level = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be one of trace, debug, info, warn, error, fatal, silent');
/** `name=value,other=value`, percent-encoded where need be, as OpenTelemetry writes headers and attributes. */
const pairs = z.string().transform((text, context): Readonly<Record<string, string>> => {
  const read = text.split(',').map((pair) => /^\s*([\w.-]+)\s*=\s*(.*?)\s*$/.exec(pair)?.slice(1));
  try {
    return Object.fromEntries(read.map((pair = ['', '%']) => [pair[0]!, decodeURIComponent(pair[1]!)]));
  } catch {
    return fail(context, 'must be pairs such as name=value,other=value, with %2C for a comma in a value');
  }
});
const ratio = z.string().transform((text, context) => {
  const value = /^(\d{1,3}(\.\d{1,9})?|\.\d{1,9})$/.test(text) ? Number(text) : Number.NaN;
  return value <= 1 ? value : fail(context, 'must be a number from 0 to 1');
});
const sampler = z.enum(SAMPLINGS, `must be one of ${SAMPLINGS.join(', ')}`);
const failpoints = z.string().superRefine((text, context) => {
  try {
    readFailpoints(text);
  } catch (error) {
    fail(context, error instanceof Error ? error.message.replace(/^WAYBILL_FAILPOINTS: /, '') : String(error));
  }
});

const setting = <Value, Initial extends string | undefined>(initial: Initial, meaning: string, reads: z.ZodType<Value, string>) => ({
  initial,
  meaning,
  reads,
});

// A table: one setting a line.
// oxfmt-ignore
export const SETTINGS = {
  SERVICES: setting('all', `The services this process runs: \`all\`, or some of ${SERVICES.join(', ')}.`, names(SERVICES)),
  PARTS: setting('api,relay,worker,console', 'What it runs of them: `api` answers HTTP, `relay` carries messages, `worker` handles them and calls providers, `console` is the page at `/`.', names(PARTS)),
  HOST: setting('127.0.0.1', 'The address to listen on. Anything but this machine needs ALLOW_UNPROTECTED.', host),
  PORT: setting('8000', 'The port to listen on; 0 takes any free one.', wholeNumber(0, 65_535)),
  ALLOW_UNPROTECTED: setting('false', '`true` says that something else (a private network, a proxy that asks for a login) keeps strangers away: Waybill has no keys yet, so whoever reaches it may do everything.', flag),
  DATA_DIR: setting('./data', 'The folder of the SQLite files. One process at a time.', z.string().min(1, 'must name a folder')),
  THREADS: setting('2', 'How many threads the program may use, 1 or 2. With 2 (and two cores), payments, inventory, shipping and notifications work in a second one. Over PostgreSQL or RabbitMQ it has no effect: there processes divide the work.', wholeNumber(1, 2)),
  DATABASE_URL: setting(undefined, 'A PostgreSQL database, e.g. `postgres://user:secret@host:5432/waybill`: a schema for each service in place of a file. Without AMQP_URL the message bus stays in DATA_DIR.', url('postgres:', 'postgresql:')),
  DATABASE_POOL: setting('8', 'Connections to PostgreSQL, at most, for each service this process runs. See scale.md for how many a server needs in all.', wholeNumber(2, 500)),
  DATABASE_POOLER: setting('none', '`transaction` when a pooler such as PgBouncer stands between that hands connections around after each transaction.', z.enum(['none', 'transaction'], 'must be none or transaction')),
  OUTBOX_SHARDS: setting('1', 'Into how many parts the outbox of each service is divided, so that as many processes with the part `relay` can share it; needs DATABASE_URL. The same for all processes; see scale.md before changing it.', z.enum(['1', '2', '4', '8', '16', '32', '64'], 'must be 1, 2, 4, 8, 16, 32 or 64').transform(Number)),
  AMQP_URL: setting(undefined, 'A RabbitMQ, e.g. `amqps://user:secret@host:5671/vhost`, in place of the built-in message bus: then SERVICES and PARTS may be divided among processes. See rabbitmq.md.', url('amqp:', 'amqps:')),
  AMQP_PREFIX: setting('waybill', 'Begins the names of all exchanges and queues, so that several Waybills can share a broker.', prefix),
  AMQP_CA: setting(undefined, 'For amqps: a PEM file of the authorities that vouch for the broker, in place of the known ones.', file),
  AMQP_CERT: setting(undefined, 'For amqps: a PEM file of the certificate to show the broker; needs AMQP_KEY.', file),
  AMQP_KEY: setting(undefined, 'For amqps: a PEM file of its key.', file),
  LOG_LEVEL: setting('info', 'The least severe lines to log, to standard error: trace, debug, info, warn, error, fatal or silent.', level),
  SMTP_URL: setting(undefined, 'A mail server, e.g. `smtp://user:secret@host:587`. Without it notifications are written to the log.', url('smtp:', 'smtps:')),
  MAIL_FROM: setting('waybill@localhost', 'The sender of mails, as those who get them see it.', z.string().min(3, 'must be a mail address')),
  NOTIFY_WEBHOOK_URL: setting(undefined, 'A system of yours that tells customers, e.g. by text message: it gets a signed POST for each notification. Needs NOTIFY_WEBHOOK_SECRET. See src/notifications/README.md.', url('http:', 'https:')),
  NOTIFY_WEBHOOK_SECRET: setting(undefined, 'What these requests are signed with: `whsec_` and at least 24 random bytes in base64.', z.string().regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'must be whsec_ and 24 to 64 bytes in base64, e.g. of `openssl rand -base64 32`')),
  STRIPE_API_KEY: setting(undefined, 'A secret key of Stripe: payments are made there, in place of the simulated provider. The token of an order is then a PaymentMethod, e.g. `pm_…`.', z.string().regex(/^(sk|rk)_\w+$/, 'must be a secret or restricted key, sk_… or rk_…')),
  STRIPE_URL: setting(undefined, 'Another address for Stripe, e.g. of a stand-in for tests.', url('http:', 'https:')),
  STRIPE_WEBHOOK_SECRET: setting(undefined, 'The signing secret of the webhook endpoint at Stripe, `whsec_…`: then POST /v1/payments/webhooks/stripe is answered, and what is not known is asked about as soon as Stripe says something. See payments.md.', z.string().regex(/^\S{8,}$/, 'must be at least 8 characters without blanks')),
  SIMULATED_WEBHOOK_SECRET: setting(undefined, 'The same for the simulated provider, to try webhooks out.', z.string().regex(/^\S{8,}$/, 'must be at least 8 characters without blanks')),
  DEADLINE_STOCK: setting('1h', 'How long an order waits for stock to answer before it is cancelled. Longer than an outage of the broker you mean to sit out: the clock runs on meanwhile.', duration),
  DEADLINE_PAYMENT: setting('1h', 'How long an order waits for the payment provider before it is cancelled.', duration),
  DEADLINE_SHIPPING: setting('24h', 'How long an order waits for the carrier before it is put on hold.', duration),
  DEADLINE_DISPATCH: setting('48h', 'How long a prepared shipment should take to leave; nothing happens by itself, the order says that it is late.', duration),
  DEADLINE_DELIVERY: setting('14d', 'The same for a shipment on its way.', duration),
  DEADLINE_HOLD: setting('24h', 'How long an order on hold should wait for a person; nothing happens by itself.', duration),
  GAP_LIMIT: setting('10m', 'How long a message may be missing in a stream that is taken in strict order, before that is overdue and may be given up: longer than its retries take.', duration),
  SHED_OUTBOX: setting('100000', 'New orders are refused with 503 while more messages than this wait to be published.', wholeNumber(1, 1e12)),
  SHED_QUEUES: setting('200000', 'The same for messages that wait to be handled.', wholeNumber(1, 1e12)),
  SHED_LAG: setting('1s', 'The same while the process answers its own timers later than this.', duration),
  OTEL_EXPORTER_OTLP_ENDPOINT: setting(undefined, 'Where traces go: an OpenTelemetry collector that speaks OTLP over HTTP, e.g. `http://127.0.0.1:4318`. Without it there are none. See observability.md.', url('http:', 'https:')),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: setting(undefined, 'The same with its path, in place of `/v1/traces` below OTEL_EXPORTER_OTLP_ENDPOINT.', url('http:', 'https:')),
  OTEL_EXPORTER_OTLP_HEADERS: setting(undefined, 'Headers for the collector, e.g. a key: `name=value,other=value`.', pairs),
  OTEL_SERVICE_NAME: setting('waybill', 'What this process is called in traces.', z.string().max(255, 'must be at most 255 characters')),
  OTEL_RESOURCE_ATTRIBUTES: setting(undefined, 'What else is said of it there, e.g. `deployment.environment.name=test`.', pairs),
  OTEL_TRACES_SAMPLER: setting('parentbased_always_on', 'Which traces are made: always_on, always_off, traceidratio, or one of them behind `parentbased_`, which does as a request says that brings a traceparent.', sampler),
  OTEL_TRACES_SAMPLER_ARG: setting('1', 'The share a ratio takes, from 0 to 1.', ratio),
  OTEL_SDK_DISABLED: setting('false', '`true` makes no traces, whatever else is set.', flag),
  WAYBILL_URL: setting(undefined, 'Where the command line finds Waybill; the server itself does not read it.', url('http:', 'https:')),
  SANDBOX: setting('false', '`true` lets the clock be put forward by POST /v1/sandbox/clock, to try out what takes days. Never for a real shop: on this machine, over SQLite, with the simulated provider only.', flag),
  WAYBILL_FAILPOINTS: setting('', 'For tests: where to die, fail or wait, e.g. `relay.after_publish=kill@3`.', failpoints),
} as const;

/** Settings with a password in them: `NAME_FILE` may name a file that holds the value, as secrets of containers are. */
export const SECRETS = [
  'DATABASE_URL',
  'AMQP_URL',
  'SMTP_URL',
  'STRIPE_API_KEY',
  'NOTIFY_WEBHOOK_SECRET',
  'STRIPE_WEBHOOK_SECRET',
  'SIMULATED_WEBHOOK_SECRET',
  'OTEL_EXPORTER_OTLP_HEADERS',
] as const satisfies readonly (keyof typeof SETTINGS)[];

type Name = keyof typeof SETTINGS;
/** A setting without a default may be absent. */
type ValueOf<N extends Name> = z.output<(typeof SETTINGS)[N]['reads']> | ((typeof SETTINGS)[N]['initial'] extends undefined ? undefined : never);
type Values = { readonly [N in Name]: ValueOf<N> };

export interface Config {
  readonly services: readonly ServiceName[];
  readonly parts: readonly Part[];
  readonly host: string;
  readonly port: number;
  readonly allowUnprotected: boolean;
  readonly dataDir: string;
  /** 2: some services have a thread of their own. */
  readonly threads: number;
  readonly databaseUrl: string | undefined;
  /** Connections for each service. */
  readonly databasePool: number;
  /** A pooler stands between that hands connections around after each transaction. */
  readonly databasePooler: boolean;
  /** Of the outbox of each service. */
  readonly outboxShards: number;
  /** The broker; undefined: the bus inside the process. */
  readonly amqp: AmqpConfig | undefined;
  readonly logLevel: string;
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string;
  /** Who is told of notifications, besides mail. */
  readonly notifyWebhook: { readonly url: string; readonly secret: string } | undefined;
  /** The payment provider; undefined: a simulated one. */
  readonly stripe: { readonly apiKey: string; readonly url: string | undefined } | undefined;
  /** Of the provider there is; undefined: no webhooks are taken. */
  readonly paymentWebhookSecret: string | undefined;
  /** Milliseconds. */
  readonly deadlines: Readonly<Record<'stock' | 'payment' | 'shipping' | 'dispatch' | 'delivery' | 'hold', number>>;
  /** How long a message of a strict stream may be missing before that is overdue, milliseconds. */
  readonly gapLimit: number;
  /** Above any of these, new orders are refused for a while: messages, messages, milliseconds. */
  readonly shed: { readonly outbox: number; readonly queues: number; readonly lag: number };
  /** Where traces go; undefined: nowhere, and none are made. */
  readonly tracing: TracingOptions | undefined;
  /** The clock may be put forward. */
  readonly sandbox: boolean;
  /** As text, already checked. */
  readonly failpoints: string;
}

export interface AmqpConfig {
  readonly url: string;
  readonly prefix: string;
  /** Paths of PEM files. */
  readonly tls: { readonly ca?: string; readonly certificate?: string; readonly key?: string };
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with an environment. `faults` are sentences, each with what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Reads an environment. Empty variables count as absent, as in most shells' scripts. Throws ConfigError with all faults. */
export function loadConfig(environment: Environment): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { initial, reads }] of Object.entries(SETTINGS)) {
    const text = textOf(name, environment, faults) || initial;
    if (text === undefined) continue;
    const read = reads.safeParse(text);
    if (read.success) values[name] = read.data;
    else faults.push(`${name} ${read.error.issues[0]!.message}.`);
  }
  for (const name of Object.keys(environment)) {
    if (name.startsWith('WAYBILL_') && !Object.hasOwn(SETTINGS, name)) {
      faults.push(`${name} is no setting. The ones there are: ${Object.keys(SETTINGS).join(', ')}.`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  const config = toConfig(values as Values);
  const impossible = [...contradictions(config), ...webhookFaults(values as Values)];
  if (impossible.length > 0) throw new ConfigError(impossible);
  return config;
}

/** A setting as text: the variable, or the first line of the file that holds it. */
function textOf(name: string, environment: Environment, faults: string[]): string | undefined {
  const path = (SECRETS as readonly string[]).includes(name) ? environment[`${name}_FILE`] : undefined;
  if (!path) return environment[name];
  if (environment[name]) faults.push(`${name} and ${name}_FILE are both set. Remove one of them.`);
  try {
    return readFileSync(path, 'utf8').split('\n', 1)[0]!.trim();
  } catch {
    faults.push(`${name}_FILE must name a file that can be read.`);
    return undefined;
  }
}

function toConfig(values: Values): Config {
  return Object.freeze({
    services: values.SERVICES,
    parts: values.PARTS,
    host: values.HOST,
    port: values.PORT,
    allowUnprotected: values.ALLOW_UNPROTECTED,
    dataDir: values.DATA_DIR,
    threads:
      values.DATABASE_URL === undefined && values.AMQP_URL === undefined && !values.SANDBOX ? Math.min(values.THREADS, availableParallelism()) : 1,
    databaseUrl: values.DATABASE_URL,
    databasePool: values.DATABASE_POOL,
    databasePooler: values.DATABASE_POOLER === 'transaction',
    outboxShards: values.OUTBOX_SHARDS,
    amqp: values.AMQP_URL === undefined ? undefined : toAmqp(values.AMQP_URL, values),
    logLevel: values.LOG_LEVEL,
    smtpUrl: values.SMTP_URL,
    mailFrom: values.MAIL_FROM,
    notifyWebhook:
      values.NOTIFY_WEBHOOK_URL === undefined ? undefined : { url: values.NOTIFY_WEBHOOK_URL, secret: values.NOTIFY_WEBHOOK_SECRET ?? '' },
    stripe: values.STRIPE_API_KEY === undefined ? undefined : { apiKey: values.STRIPE_API_KEY, url: values.STRIPE_URL },
    paymentWebhookSecret: values.STRIPE_WEBHOOK_SECRET ?? values.SIMULATED_WEBHOOK_SECRET,
    deadlines: {
      stock: values.DEADLINE_STOCK,
      payment: values.DEADLINE_PAYMENT,
      shipping: values.DEADLINE_SHIPPING,
      dispatch: values.DEADLINE_DISPATCH,
      delivery: values.DEADLINE_DELIVERY,
      hold: values.DEADLINE_HOLD,
    },
    gapLimit: values.GAP_LIMIT,
    shed: { outbox: values.SHED_OUTBOX, queues: values.SHED_QUEUES, lag: values.SHED_LAG },
    tracing: toTracing(values),
    sandbox: values.SANDBOX,
    failpoints: values.WAYBILL_FAILPOINTS,
  });
}

function toTracing(values: Values): TracingOptions | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: whole } = values;
  if (values.OTEL_SDK_DISABLED || (base === undefined && whole === undefined)) return undefined;
  return {
    url: whole ?? `${base!.replace(/\/$/, '')}/v1/traces`,
    headers: values.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    resource: { ...values.OTEL_RESOURCE_ATTRIBUTES, 'service.name': values.OTEL_SERVICE_NAME },
    sampler: values.OTEL_TRACES_SAMPLER,
    ratio: values.OTEL_TRACES_SAMPLER_ARG,
  };
}

const toAmqp = (address: string, { AMQP_PREFIX, AMQP_CA, AMQP_CERT, AMQP_KEY }: Values): AmqpConfig => ({
  url: address,
  prefix: AMQP_PREFIX,
  tls: {
    ...(AMQP_CA === undefined ? {} : { ca: AMQP_CA }),
    ...(AMQP_CERT === undefined ? {} : { certificate: AMQP_CERT }),
    ...(AMQP_KEY === undefined ? {} : { key: AMQP_KEY }),
  },
});

/** Settings that are right one by one and cannot work together. */
function contradictions(config: Config): string[] {
  const { host: address, allowUnprotected } = config;
  const faults = [
    ...divisions(config),
    ...(config.sandbox ? sandboxFaults(config) : []),
    ...(config.notifyWebhook?.secret === ''
      ? ['NOTIFY_WEBHOOK_URL needs NOTIFY_WEBHOOK_SECRET, so that the receiver knows whose requests they are. Set both or none.']
      : []),
    ...(config.databaseUrl === undefined ? [] : databaseFaults(config.databaseUrl)),
    ...(config.amqp === undefined ? [] : amqpFaults(config.amqp)),
  ];
  if (!isLoopback(address) && !allowUnprotected) {
    faults.push(
      `HOST=${address} can be reached from other machines, and Waybill has no keys yet: whoever reaches it could order, pay, cancel and read every address. Remove HOST to serve this machine only, or set ALLOW_UNPROTECTED=true if a private network or a proxy with a login keeps strangers away.`,
    );
  }
  return faults;
}

/** Whoever can put the clock forward can end what others rely on, and the clock is that of one process. */
function sandboxFaults({ host: address, allowUnprotected, stripe, databaseUrl, amqp }: Config): string[] {
  const not = (is: boolean, what: string, why: string): string[] => (is ? [`SANDBOX=true cannot be with ${what}: ${why} Remove one of them.`] : []);
  return [
    ...not(
      !isLoopback(address) || allowUnprotected,
      'a HOST that others reach or ALLOW_UNPROTECTED',
      'whoever reaches it could put the clock forward.',
    ),
    ...not(stripe !== undefined, 'STRIPE_API_KEY', 'real money does not follow a clock that is put forward.'),
    ...not(databaseUrl !== undefined, 'DATABASE_URL', 'a database has a clock of its own, and other processes have theirs.'),
    ...not(amqp !== undefined, 'AMQP_URL', 'the clock is that of one process, and others would not follow it.'),
  ];
}

/** A secret belongs to the provider there is. */
const webhookFaults = ({ STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET, SIMULATED_WEBHOOK_SECRET }: Values): string[] => [
  ...(STRIPE_WEBHOOK_SECRET !== undefined && STRIPE_API_KEY === undefined
    ? ['STRIPE_WEBHOOK_SECRET is set, but payments are not made at Stripe. Set STRIPE_API_KEY, or remove it.']
    : []),
  ...(SIMULATED_WEBHOOK_SECRET !== undefined && STRIPE_API_KEY !== undefined
    ? ['SIMULATED_WEBHOOK_SECRET is for the simulated provider, but payments are made at Stripe. Remove it.']
    : []),
];

/** What a process may leave to others depends on what it can reach them by. */
function divisions(config: Config): string[] {
  const { services, parts, databaseUrl, amqp } = config;
  const faults: string[] = [];
  const missing = SERVICES.filter((name) => !services.includes(name));
  const absent = (['api', 'relay', 'worker'] as const).filter((part) => !parts.includes(part));
  if (config.outboxShards > 1 && databaseUrl === undefined)
    faults.push('OUTBOX_SHARDS divides an outbox among processes, but SQLite files belong to one process. Remove it, or set DATABASE_URL.');
  const inside = 'but the built-in message bus carries messages only inside one process.';
  if (missing.length > 0 && amqp === undefined)
    faults.push(`SERVICES leaves out ${missing.join(', ')}, ${inside} Remove SERVICES, so that this process runs all of them, or set AMQP_URL.`);
  if (absent.length > 0 && amqp === undefined)
    faults.push(`PARTS leaves out ${absent.join(', ')}, ${inside} Set PARTS=api,relay,worker, with console if you want the page, or set AMQP_URL.`);
  if (absent.length > 0 && amqp !== undefined && databaseUrl === undefined)
    faults.push(
      `PARTS leaves out ${absent.join(', ')}, but SQLite files belong to one process. Set DATABASE_URL, or let this process run all parts.`,
    );
  return faults;
}

/** The environment of this process. */
export const processEnvironment = (): Environment => process.env;
