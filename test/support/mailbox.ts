/**
 * One service on a test database, without a broker: what it says is collected, what it is told is made here.
 */
import type { Message } from '../../src/contracts/envelope.ts';
import type { DataOf, MessageType } from '../../src/contracts/messages.ts';
import type { Database, Tx } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import type { World } from '../../src/kernel/world.ts';
import { type Mailbox, openMailbox } from '../../src/messaging/mailbox.ts';
import type { AnyMessage, RequestContext, Service } from '../../src/messaging/service.ts';

export interface TestMailbox {
  readonly mailbox: Mailbox;
  /** Everything said by committed units, in order. */
  readonly said: Message[];
  /** Resolves once this many of a type have been said and committed. */
  heard(type: MessageType, times?: number): Promise<void>;
  /** Statements that reached the database inside units since the last call. */
  statements(): number;
}

const messagingMigrations = new URL('../../src/messaging/migrations/', import.meta.url);

/** Applies the migrations and opens the mailbox. */
export async function openTestMailbox(
  db: Database,
  { service, migrations, world }: { service: string; migrations: URL; world: World },
): Promise<TestMailbox> {
  await migrate(
    db,
    [
      { room: 'messaging', folder: messagingMigrations },
      { room: service, folder: migrations },
    ],
    world.now(),
  );
  const said: Message[] = [];
  const waiting = new Set<() => void>();
  let count = 0;
  const counted = (tx: Tx): Tx => ({
    ...tx,
    run(statement, rows) {
      if (rows.length > 0) count += 1;
      return tx.run(statement, rows);
    },
    query(query, options) {
      count += 1;
      return tx.query(query, options);
    },
    raw(text, parameters) {
      count += 1;
      return tx.raw(text, parameters);
    },
  });
  const mailbox = openMailbox({
    service,
    db: { ...db, write: (work) => db.write((tx) => work(counted(tx))) },
    world,
    committed(packs) {
      said.push(...packs.flatMap(({ messages }) => messages));
      for (const look of waiting) look();
    },
  });
  return {
    mailbox,
    said,
    heard: (type, times = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (said.filter((message) => message.type === type).length < times) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    statements() {
      const statements = count;
      count = 0;
      return statements;
    },
  };
}

/** A message as another service would have said it. */
export function messageOf<T extends MessageType>(
  world: World,
  type: T,
  subject: string,
  data: DataOf<T>,
  given: { readonly id?: string; readonly sequence?: number } = {},
): AnyMessage<T> {
  return {
    id: given.id ?? world.id('msg'),
    type,
    source: 'test',
    time: world.now(),
    subject,
    ...(given.sequence === undefined ? {} : { sequence: given.sequence }),
    partitionkey: subject,
    correlationid: subject,
    hops: 1,
    data,
  } as AnyMessage<T>;
}

/**
 * Hands messages to the subscriptions of a service as a consumer does: one transaction, each subscription its types. `heard` stands for
 * the consumer's inbox: pass the same set again and subscriptions that ask for an inbox are spared duplicates.
 */
export async function deliver(mailbox: Mailbox, service: Service, messages: readonly Message[], heard = new Set<string>()): Promise<void> {
  await mailbox.write(async (unit) => {
    for (const { types, dedupe, handle } of service.subscriptions) {
      const mine = messages.filter(({ id, type }) => (types as readonly string[]).includes(type) && !(dedupe === 'inbox' && heard.has(id)));
      const once = dedupe === 'inbox' ? [...new Map(mine.map((message) => [message.id, message])).values()] : mine;
      if (once.length > 0) await handle(unit, once as never);
    }
  });
  for (const { id } of messages) heard.add(id);
}

/** What a request without idempotency key brings along. */
export const requestContext = (given: Partial<RequestContext> = {}): RequestContext => ({ requestId: 'req_test', client: 'test', ...given });

/** Calls a route of a service as the edge does after validation. */
export async function call(
  service: Service,
  method: string,
  path: string,
  input: { params?: unknown; query?: unknown; body?: unknown; context?: RequestContext } = {},
): Promise<unknown> {
  const found = service.routes.find((route) => route.method === method && route.path === path);
  if (found === undefined) throw new Error(`${service.name} has no route ${method} ${path}`);
  const parse = (schema: typeof found.params, value: unknown): never => (schema === undefined ? undefined : schema.parse(value)) as never;
  const answer = await found.handle({
    params: parse(found.params, input.params ?? {}),
    query: parse(found.query, input.query ?? {}),
    body: parse(found.body, input.body ?? {}),
    context: input.context ?? requestContext(),
  });
  const isPreview = (input.body as { dry_run?: unknown } | undefined)?.dry_run === true;
  return ((isPreview ? found.previews : undefined) ?? found.output).parse(answer);
}
