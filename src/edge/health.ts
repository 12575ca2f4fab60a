/**
 * How the program is, for load balancers and for people: /health and its parts, and /metrics.
 *
 * | asked by | path | a broker that is away |
 * |---|---|---|
 * | what would restart it | `/health/live` | does not matter |
 * | what would send requests elsewhere, or wait with a deployment | `/health/ready` | counts after 10 s: reconnecting takes less, and what is said waits in the outboxes |
 * | what has nowhere else to send requests | `/health/db` | does not matter: orders are accepted all the same |
 *
 * Alive and ready are different questions. A process whose database is away is alive: restarting it would not bring the database back.
 * It is not ready: nobody should send it requests. Every check has a deadline, because a check that hangs with the thing it checks says
 * nothing when it matters.
 */
import { z } from 'zod';
import { type Metrics, exposition } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import type { Door, DoorAnswer } from './http.ts';

export interface Check {
  /** e.g. `database orders` */
  readonly name: string;
  readonly about: 'db' | 'queue' | 'rest';
  /** What is wrong, in words; undefined when all is well. Throwing is wrong, too. */
  run(): Promise<Finding | undefined>;
}
export interface Finding {
  /** `down` takes the process out of service; `degraded` is for people. */
  readonly status: 'down' | 'degraded';
  readonly detail: string;
  /** Since when, milliseconds UTC: what mends itself soon is borne with for a while before requests are sent elsewhere. */
  readonly since?: number;
}

export interface HealthOptions {
  readonly world: World;
  readonly metrics: Metrics;
  readonly version: string;
  readonly checks: readonly Check[];
  /** Started, and not stopping. */
  ready(): boolean;
  /** Brings gauges up to date that nobody keeps up to date. */
  refresh(): Promise<void>;
}

const DEADLINE_MS = 2_000;
/** How long what says since when it is down may be down before the process counts as not ready. */
const PATIENCE_MS = 10_000;
const TAG = 'Health';

const statusSchema = z.enum(['ok', 'degraded', 'down']);
const healthSchema = z
  .object({
    status: statusSchema.meta({ description: 'The worst of the checks.' }),
    service: z.literal('waybill'),
    version: z.string(),
    uptime_seconds: z.int(),
    checks: z.record(z.string(), z.object({ status: statusSchema, detail: z.string().optional() })),
  })
  .meta({ id: 'Health' });
type Health = z.infer<typeof healthSchema>;

export function healthDoors({ world, metrics, version, checks, ready, refresh }: HealthOptions): Door[] {
  const startedAt = world.now();

  async function health(chosen: readonly Check[], patience: number): Promise<Health> {
    const findings = await Promise.all(chosen.map(async (check) => [check.name, judged(await inTime(check, world), patience)] as const));
    const statuses = findings.map(([, finding]) => finding.status);
    return {
      status: statuses.includes('down') ? 'down' : statuses.includes('degraded') ? 'degraded' : 'ok',
      service: 'waybill',
      version,
      uptime_seconds: Math.floor((world.now() - startedAt) / 1000),
      checks: Object.fromEntries(findings),
    };
  }
  function judged(finding: Finding | undefined, patience: number): Health['checks'][string] {
    if (finding === undefined) return { status: 'ok' };
    const { status, detail, since } = finding;
    return { status: since !== undefined && world.now() - since < patience ? 'degraded' : status, detail };
  }
  const about = (path: string, summary: string, chosen: readonly Check[], isReady = (): boolean => true, patience = 0): Door => ({
    path,
    listed: { tag: TAG, summary, output: healthSchema },
    async answer() {
      const found = await health(chosen, patience);
      return json(found.status === 'down' || !isReady() ? 503 : 200, isReady() ? found : { ...found, status: 'down' });
    },
  });
  return [
    about('/health', 'How everything is', checks),
    about('/health/live', 'Whether the process runs at all', []),
    about(
      '/health/ready',
      'Whether requests should be sent here',
      checks.filter((check) => check.about !== 'rest'),
      ready,
      PATIENCE_MS,
    ),
    about(
      '/health/db',
      'Whether the databases answer',
      checks.filter((check) => check.about === 'db'),
    ),
    about(
      '/health/queue',
      'Whether messages are carried',
      checks.filter((check) => check.about === 'queue'),
    ),
    {
      path: '/metrics',
      listed: { tag: TAG, summary: 'Metrics in the text format of Prometheus' },
      async answer() {
        await refresh();
        return { status: 200, type: metrics.registry.contentType, body: await exposition(metrics) };
      },
    },
  ];
}

const json = (status: number, body: unknown): DoorAnswer => ({ status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) });

async function inTime(check: Check, world: World): Promise<Finding | undefined> {
  const done = new AbortController();
  const late = world.sleep(DEADLINE_MS, done.signal).then((): Finding => ({ status: 'down', detail: `no answer within ${DEADLINE_MS / 1000} s` }));
  // What went wrong may name hosts or files; who may see it reads the log.
  const found = check.run().catch((): Finding => ({ status: 'down', detail: 'does not answer' }));
  return Promise.race([found, late]).finally(() => done.abort());
}
