/**
 * How clients ask, and what they write down: every request with its answer, and when.
 *
 *   ok        2xx                                        it had its effect
 *   refused   4xx                                        it had none
 *   unknown   no answer in time, 5xx, or "in progress"   whoever cares asks again, with the same key
 */
import type { ServiceName } from '../../src/config.ts';
import type { Act, Call, Seen } from './history.ts';
import { pause } from './kept.ts';
import type { Site } from './site.ts';

/** A client loses patience after this. */
const TIMEOUT_MS = 8_000;
const AGAIN_MS = 100;
const AGAIN_MOST_MS = 1_500;

export interface Request {
  readonly act: Act;
  readonly key: string;
  readonly service: ServiceName;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
}

export interface Answer {
  readonly outcome: Call['outcome'];
  /** 0: none. */
  readonly status: number;
  readonly body: unknown;
}

export interface Doors {
  readonly calls: readonly Call[];
  /** Answers that no outage explains: 5xx other than 503. */
  readonly strange: readonly string[];
  /** How many requests had no answer, or one that says nothing. */
  unanswered(): number;
  /** Milliseconds since the run began. */
  now(): number;
  /** Asks once. */
  send(request: Request): Promise<Answer>;
  /** Asks until there is an answer, or nobody waits any more: then the last one, which is unknown. */
  insist(request: Request): Promise<Answer>;
  /** From now on nobody waits any more. */
  giveUp(): void;
  patient(): boolean;
}

export function openDoors({ parts }: Pick<Site, 'parts'>): Doors {
  const begun = performance.now();
  const calls: Call[] = [];
  const strange: string[] = [];
  let patient = true;
  let unanswered = 0;
  let turn = 0;
  const now = (): number => performance.now() - begun;

  function urlOf(service: ServiceName): string {
    const doors = parts.filter(({ services, does }) => does.includes('api') && services.includes(service));
    return `http://127.0.0.1:${doors[(turn += 1) % doors.length]!.lines.clients.port}`;
  }

  async function send({ act, key, service, method, path, body }: Request): Promise<Answer> {
    const asked = now();
    const { status, text } = await ask(urlOf(service) + path, method, act === 'read' ? undefined : key, body);
    const outcome = status >= 200 && status < 300 ? 'ok' : status >= 400 && status < 500 && !isInProgress(text) ? 'refused' : 'unknown';
    if (outcome === 'unknown') unanswered += 1;
    if (status >= 500 && status !== 503) strange.push(`${method} ${path} was answered ${status}: ${text}`);
    const content = status === 0 ? undefined : (JSON.parse(text) as Partial<Seen> & { code?: string });
    const { id, version, status: at, code } = content ?? {};
    calls.push({
      act,
      key,
      asked,
      answered: now(),
      outcome,
      ...(outcome === 'refused' ? { code: code ?? String(status) } : {}),
      ...(outcome === 'ok' && id !== undefined && version !== undefined && at !== undefined ? { seen: { id, version, status: at } } : {}),
      ...(outcome === 'ok' && act !== 'read' ? { answer: text } : {}),
    });
    return { outcome, status, body: content };
  }

  async function insist(request: Request): Promise<Answer> {
    for (let rest = AGAIN_MS; ; rest = Math.min(AGAIN_MOST_MS, rest * 2)) {
      const answer = await send(request);
      if (answer.outcome !== 'unknown' || !patient) return answer;
      await pause(rest * (0.5 + Math.random()));
    }
  }

  return { calls, strange, unanswered: () => unanswered, now, send, insist, giveUp: () => void (patient = false), patient: () => patient };
}

const isInProgress = (text: string): boolean => text.includes('"idempotency_in_progress"');

/** Status 0: the connection broke, or took too long, before the answer was complete. */
async function ask(url: string, method: string, key: string | undefined, body: unknown): Promise<{ status: number; text: string }> {
  try {
    const answer = await fetch(url, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(key === undefined ? {} : { 'idempotency-key': key }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return { status: 0, text: '' };
  }
}
