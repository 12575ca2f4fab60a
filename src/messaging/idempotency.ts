/**
 * Idempotency keys: the same request sent twice has one effect and one answer.
 *
 *   unknown ──first request commits──> kept (hash of the request, the answer) ──30 days──> forgotten
 *
 * The key is claimed, and the answer kept, in the transaction of the effect, so that there is no moment at which one exists without
 * the other: a crash leaves both or none. A refusal keeps nothing, because it changed nothing. Two requests with one key at the same
 * time: in one process the second is refused as `idempotency_in_progress`; in two processes it waits on the row and then gets the answer.
 */
import { type Database, type Tx, statement } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Mailbox, Unit } from './mailbox.ts';
import type { RequestContext } from './service.ts';

/** How long an answer is kept, milliseconds. */
export const ANSWER_KEPT_MS = 30 * 24 * 3_600_000;

/** A request that must not be done twice. */
export interface Once {
  /** Client and route: keys of different clients and routes never meet. */
  readonly scope: string;
  readonly key: string;
  /** Hash of the request: the same key with another hash is another request. */
  readonly hash: string;
}

/** The Once of a request, when it carried a key. `route` is e.g. `POST /v1/orders`. */
export const onceOf = (context: RequestContext, route: string): Once | undefined =>
  context.idempotency && { scope: `${context.client} ${route}`, key: context.idempotency.key, hash: context.idempotency.hash };

interface ClaimRow {
  readonly scope: string;
  readonly key: string;
  readonly request_hash: string;
  readonly created_at: number;
}
interface KeptRow {
  readonly scope: string;
  readonly key: string;
  readonly request_hash: string;
  readonly answer: string | null;
}

const claim = statement<ClaimRow, { scope: string; key: string }>(
  { scope: 'text', key: 'text', request_hash: 'text', created_at: 'bigint' },
  (rows) => `
    insert into idempotency (scope, key, request_hash, created_at) select row.scope, row.key, row.request_hash, row.created_at from ${rows} where true
    on conflict (scope, key) do nothing returning scope, key`,
);
const find = statement<{ scope: string; key: string }, KeptRow>(
  { scope: 'text', key: 'text' },
  (rows) => `select i.scope, i.key, i.request_hash, i.answer from idempotency i join ${rows} on i.scope = row.scope and i.key = row.key`,
);
const keep = statement<{ scope: string; key: string; answer: string }>(
  { scope: 'text', key: 'text', answer: 'text' },
  (rows) => `update idempotency set answer = row.answer from ${rows} where idempotency.scope = row.scope and idempotency.key = row.key`,
);
const unclaim = statement<{ scope: string; key: string }>(
  { scope: 'text', key: 'text' },
  (rows) => `delete from idempotency where exists (select 1 from ${rows} where row.scope = idempotency.scope and row.key = idempotency.key)`,
);

const nameOf = ({ scope, key }: { scope: string; key: string }): string => `${scope}\n${key}`;

/**
 * Runs a set of commands, each at most once: commands whose key is known are answered from what was kept, a reused key is refused,
 * the others go to `many` together and their answers are kept. Three statements more, whatever the number of commands; none when no
 * command carries a key.
 */
export async function onceEach<Command, Result>(
  unit: Unit,
  commands: readonly Command[],
  onceFor: (command: Command) => Once | undefined,
  many: (fresh: readonly Command[]) => Promise<readonly (Result | Refusal)[]>,
): Promise<(Result | Refusal)[]> {
  const keys = commands.map(onceFor);
  if (keys.every((key) => key === undefined)) return [...(await many(commands))];

  const answers = await claimKeys(unit, keys);
  const fresh = commands.flatMap((command, i) => (answers[i] === undefined ? [{ command, i }] : []));
  if (fresh.length === 0) return answers as (Result | Refusal)[]; // `many` may do its work without looking at what it is handed
  const results = await many(fresh.map(({ command }) => command));
  fresh.forEach(({ i }, n) => (answers[i] = results[n]!));
  await keepAnswers(
    unit.tx,
    fresh.map(({ i }) => ({ once: keys[i], answer: answers[i] as Result | Refusal })),
  );
  return answers as (Result | Refusal)[];
}

/** For each key: undefined when it is new (or absent) and the work is to be done now, else the answer. */
async function claimKeys(unit: Unit, keys: readonly (Once | undefined)[]): Promise<unknown[]> {
  const { tx, now } = unit;
  const first = new Map<string, Once>();
  for (const once of keys) if (once && !first.has(nameOf(once))) first.set(nameOf(once), once);
  const asked = [...first.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)); // one order for everybody: no deadlocks
  const claimed = new Set(
    (
      await tx.run(
        claim,
        asked.map(({ scope, key, hash }) => ({ scope, key, request_hash: hash, created_at: now })),
      )
    ).map(nameOf),
  );
  const known = new Map(
    (
      await tx.run(
        find,
        asked.filter((once) => !claimed.has(nameOf(once))),
      )
    ).map((row) => [nameOf(row), row]),
  );

  const taken = new Set<string>();
  return keys.map((once) => {
    if (once === undefined) return undefined;
    const name = nameOf(once);
    if (claimed.has(name) && !taken.has(name)) {
      taken.add(name);
      return undefined;
    }
    const kept = known.get(name);
    if ((kept?.request_hash ?? first.get(name)!.hash) !== once.hash) {
      return new Refusal('idempotency_key_reused', `the idempotency key "${once.key}" was used for another request`);
    }
    if (kept === undefined || kept.answer === null)
      return new Refusal('idempotency_in_progress', `the first request with the idempotency key "${once.key}" is still running`);
    return JSON.parse(kept.answer) as unknown;
  });
}

async function keepAnswers(tx: Tx, done: readonly { once: Once | undefined; answer: unknown }[]): Promise<void> {
  const keyed = done.flatMap(({ once, answer }) => (once ? [{ ...once, answer }] : []));
  const refused = keyed.filter(({ answer }) => answer instanceof Refusal);
  const kept = keyed.filter(({ answer }) => !(answer instanceof Refusal));
  await tx.run(
    keep,
    kept.map(({ scope, key, answer }) => ({ scope, key, answer: JSON.stringify(answer) })),
  );
  await tx.run(unclaim, refused);
}

/**
 * The answer a request with this key was given before, for doors that must look at other things before they know whose transaction
 * `once` is to run in. Throws the Refusal `idempotency_key_reused`.
 */
export async function answeredBefore<Result>(db: Database, context: RequestContext, route: string): Promise<Result | undefined> {
  const key = onceOf(context, route);
  if (key === undefined) return undefined;
  const [kept] = await db.read.run(find, [key]);
  if (kept === undefined || kept.answer === null) return undefined;
  if (kept.request_hash !== key.hash) throw new Refusal('idempotency_key_reused', `the idempotency key "${key.key}" was used for another request`);
  return JSON.parse(kept.answer) as Result;
}

/** The same for one command: `work` runs in one transaction, at most once for the request's key. Throws its Refusal. */
export async function once<Result>(mailbox: Mailbox, context: RequestContext, route: string, work: (unit: Unit) => Promise<Result>): Promise<Result> {
  return mailbox.write(async (unit) => {
    const key = onceOf(context, route);
    const [answer] = await onceEach(
      unit,
      [undefined],
      () => key,
      async () => [await work(unit)],
    );
    if (answer instanceof Refusal) throw answer;
    return answer as Result;
  }, context.traceparent);
}

/** Not an error: how an answer leaves a transaction that is to leave nothing behind. */
class Rehearsed<Result> extends Error {
  readonly answer: Result;
  constructor(answer: Result) {
    super('only rehearsed');
    this.answer = answer;
  }
}

/**
 * The same, unless it is a dry run: then `work` runs and all of it is thrown away but its answer, which says `dry_run`. Nothing is kept, nothing
 * is said, and the key stays unused.
 */
export const onceOrRehearsed = <Result extends object>(
  mailbox: Mailbox,
  context: RequestContext,
  { route, dry_run = false, work }: { readonly route: string; readonly dry_run: boolean | undefined; work(unit: Unit): Promise<Result> },
): Promise<Result | (Result & { dry_run: true })> => (dry_run ? rehearse(mailbox, work) : once(mailbox, context, route, work));

async function rehearse<Result extends object>(mailbox: Mailbox, work: (unit: Unit) => Promise<Result>): Promise<Result & { dry_run: true }> {
  try {
    return await mailbox.write(async (unit) => {
      throw new Rehearsed(await work(unit));
    });
  } catch (error) {
    if (error instanceof Rehearsed) return { ...(error.answer as Result), dry_run: true };
    throw error;
  }
}
