/**
 * What a request brings beside its input, out of its headers: its id, its idempotency key, what its client calls it.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { idempotencyKeySchema } from '../contracts/rest.ts';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { RequestContext } from '../messaging/service.ts';

export interface Head {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as JSON has it; undefined without one. */
  readonly body: unknown;
}

export const operationSchema = z
  .string()
  .regex(/^\P{Cc}{1,128}$/u, '1 to 128 printable characters')
  .meta({ description: 'What you call what you are doing: recorded with the write and shown in the timeline.' });
const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/** The caller's request id, if it is one that may stand in a log line. */
export const requestIdOf = (given: string | string[] | undefined): string | undefined =>
  typeof given === 'string' && REQUEST_ID.test(given) ? given : undefined;

/**
 * The context of a request. Without keys there is one client, `local`. Throws the Refusal `invalid_request` for headers that cannot be
 * meant so.
 */
export function contextOf(head: Head, requestId: string, traceparent?: string): RequestContext {
  const { headers } = head;
  const errors: FieldError[] = [];
  const operation = header('operation-name', operationSchema, headers, errors);
  const key = header('idempotency-key', idempotencyKeySchema, headers, errors);
  if (errors.length > 0) throw new Refusal('invalid_request', `the header ${errors[0]!.field} ${errors[0]!.rule}`, errors);
  return {
    requestId,
    client: 'local',
    ...(operation === undefined ? {} : { operation }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(key === undefined || head.method === 'GET' ? {} : { idempotency: { key, hash: hashOf(head) } }),
  };
}

function header(name: string, schema: z.ZodType<string>, headers: Head['headers'], errors: FieldError[]): string | undefined {
  if (headers[name] === undefined) return undefined;
  const read = schema.safeParse(headers[name]);
  if (read.success) return read.data;
  errors.push({ field: name, rule: `must be of the form: ${read.error.issues[0]!.message}`, remedy: 'Correct it, or leave it out.' });
  return undefined;
}

/** The same request has the same hash, however its JSON was spaced and its fields were ordered. */
export const hashOf = ({ method, url, body }: Pick<Head, 'method' | 'url' | 'body'>): string =>
  hash('sha256', `${method} ${url}\n${body === undefined ? '' : canonical(body)}`);

/** Far more than any route takes, far less than what would overflow the stack. */
const DEPTH_MAX = 100;

/** JSON with the fields of every object in one order. Throws the Refusal `malformed_body` for what is nested too deep. */
export function canonical(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth === DEPTH_MAX) throw new Refusal('malformed_body', `the body is nested deeper than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) return `[${value.map((inner) => canonical(inner, depth + 1)).join(',')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner, depth + 1)}`).join(',')}}`;
}

/** Refuses a second request with the key of one that is still running in this process. Another process waits on the key's row instead. */
export function keysUnderWay(): <T>(context: RequestContext, route: string, work: () => Promise<T>) => Promise<T> {
  const running = new Set<string>();
  return async (context, route, work) => {
    if (context.idempotency === undefined) return work();
    const name = `${context.client} ${route}\n${context.idempotency.key}`;
    if (running.has(name))
      throw new Refusal('idempotency_in_progress', `the first request with the idempotency key "${context.idempotency.key}" is still running`);
    running.add(name);
    try {
      return await work();
    } finally {
      running.delete(name);
    }
  };
}
