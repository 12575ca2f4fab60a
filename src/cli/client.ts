/**
 * The command line's way to the server: its public HTTP API and nothing else.
 *
 * Every write carries an idempotency key, so a request whose answer was lost may be sent again. How long that is tried is `patience`:
 * a person at a prompt wants to know soon, an import rather waits for a server that is being restarted.
 */
import { backoff } from '../kernel/lifecycle.ts';
import type { World } from '../kernel/world.ts';
import { CommandError, EXIT, type Problem, refused, unreachable } from './problems.ts';

export interface ClientOptions {
  readonly url: string;
  readonly world: World;
  /** How long to go on asking a server that is away or busy, milliseconds. */
  readonly patience?: number;
  /** Told once for each time the server is found away or busy. */
  waiting?(why: string): void;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Client {
  readonly url: string;
  get<Answer>(path: string, query?: Query): Promise<Answer>;
  /** The JSON of an answer, be its status what it may: /health says with 503 how things are. */
  look<Answer>(path: string): Promise<Answer>;
  /** The items of a list, page by page, until the last or until the reader stops. */
  each<Item>(path: string, query?: Query): AsyncGenerator<Item>;
  /** The first items of a list, `most` at most. */
  first<Item>(most: number, path: string, query?: Query): Promise<Item[]>;
  /** The server's clock, milliseconds UTC, to the second. */
  now(): Promise<number>;
  /** A document, as it is. */
  download(path: string): Promise<Buffer>;
  /** `key` is the idempotency key; one of its own when absent. */
  post<Answer>(path: string, body?: object, key?: string): Promise<Answer>;
  patch<Answer>(path: string, body: object): Promise<Answer>;
}

/** What came back: an answer, or a problem and whether asking again may help. */
type Reply<Answer> = { readonly answer: Answer } | { readonly error: CommandError; readonly again: boolean };

interface Asking extends RequestInit {
  /** Take the body of an error for an answer. */
  readonly anyway?: boolean;
  /** Take the body as it is. */
  readonly raw?: boolean;
  readonly look?: (headers: Headers) => void;
}

const REQUEST_MS = 30_000;

export function openClient({ url, world, patience = 2_000, waiting = () => undefined }: ClientOptions): Client {
  async function once<Answer>(path: string, { anyway = false, raw = false, look = () => undefined, ...init }: Asking): Promise<Reply<Answer>> {
    let response: Response;
    let body: Buffer;
    try {
      response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(REQUEST_MS) });
      body = Buffer.from(await response.arrayBuffer());
    } catch (error) {
      return { error: unreachable(url, whyOf(error)), again: true };
    }
    look(response.headers);
    if (response.ok && raw) return { answer: body as Answer };
    const text = body.toString();
    if (response.ok || anyway) return readAnswer(text, url);
    const problem = readProblem(text);
    return { error: refused(problem, `${url}${path} answered ${response.status}`), again: problem.retryable ?? response.status >= 500 };
  }

  async function ask<Answer>(path: string, asking: Asking = {}): Promise<Answer> {
    const until = world.now() + patience;
    for (let failures = 1; ; failures += 1) {
      const reply = await once<Answer>(path, asking);
      if ('answer' in reply) return reply.answer;
      if (!reply.again || world.now() >= until) throw reply.error;
      waiting(reply.error.message);
      await world.sleep(backoff(failures, { first: 100, most: 2_000 }, world.random()));
    }
  }

  const get = <Answer>(path: string, query: Query = {}): Promise<Answer> => ask(path + search(query));
  async function* each<Item>(path: string, query: Query = {}): AsyncGenerator<Item> {
    let cursor: string | undefined;
    do {
      const page: { items: Item[]; next_cursor: string | null } = await get(path, { limit: 200, ...query, cursor });
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }
  return {
    url,
    get,
    look: (path) => ask(path, { anyway: true }),
    each,
    async first<Item>(most: number, path: string, query: Query = {}) {
      const items: Item[] = [];
      for await (const item of each<Item>(path, { ...query, limit: Math.min(most, 200) })) {
        items.push(item);
        if (items.length === most) break;
      }
      return items;
    },
    async now() {
      let date = Number.NaN;
      await ask('/health/live', { look: (headers) => (date = Date.parse(headers.get('date') ?? '')) });
      return date;
    },
    download: (path) => ask(path, { raw: true }),
    post: (path, body = {}, key = world.id('req')) => ask(path, write('POST', body, key)),
    patch: (path, body) => ask(path, write('PATCH', body, world.id('req'))),
  };
}

const write = (method: string, body: object, key: string): Asking => ({
  method,
  headers: { 'content-type': 'application/json', 'idempotency-key': key },
  body: JSON.stringify(body),
});

function search(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

function readAnswer<Answer>(text: string, url: string): Reply<Answer> {
  try {
    return { answer: JSON.parse(text) as Answer };
  } catch {
    return {
      error: new CommandError(EXIT.unreachable, `${url} answers, but not as Waybill does. Is the address right?`, { code: 'unreachable' }),
      again: false,
    };
  }
}

function readProblem(text: string): Problem {
  try {
    const problem: unknown = JSON.parse(text);
    return typeof problem === 'object' && problem !== null ? problem : {};
  } catch {
    return {};
  }
}

/** The innermost reason of a failed fetch, in few words. */
function whyOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${REQUEST_MS / 1000} s`;
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ENOTFOUND') return 'there is no such host';
  return cause instanceof Error && cause.message !== '' ? cause.message : code || String(error);
}
