/**
 * One address for all processes: a request goes to the one whose path begins its own. A process that is away is answered for with 503, which
 * a client may repeat with its idempotency key; what was under way when it died is answered so, too, because whether it was done is not known.
 */
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import replyFrom from '@fastify/reply-from';
import { PROBLEM_TYPE, problemOf } from '../../src/edge/problem.ts';
import { Fault } from '../../src/kernel/errors.ts';
import { type Runnable, runnable } from '../../src/kernel/lifecycle.ts';
import type { World } from '../../src/kernel/world.ts';

export interface RouterOptions {
  readonly host: string;
  readonly port: number;
  readonly world: World;
  /** Who answers a path; `url` is undefined while it is away. */
  route(path: string): { readonly name: string; readonly url: string | undefined } | undefined;
}

export interface Router extends Runnable {
  /** The port it listens at. */
  port(): number;
}

export async function openRouter({ host, port, world, route }: RouterOptions): Promise<Router> {
  // No limits of its own: each process has them, and its answers say more. Bodies pass through unread.
  const app = fastify({ logger: false, bodyLimit: Number.MAX_SAFE_INTEGER, keepAliveTimeout: 75_000, http: { requireHostHeader: false } });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  // A stream of events may be silent for long, so bodies have no time-out; the first byte has one.
  await app.register(replyFrom, { disableRequestLogging: true, undici: { connections: 256, pipelining: 1, bodyTimeout: 0, headersTimeout: 60_000 } });

  function refuse(request: FastifyRequest, reply: FastifyReply, why: string, error?: Error): void {
    const problem = problemOf(new Fault('unavailable', why, { cause: error }), request.id);
    void reply.code(problem.status).header('retry-after', 1).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  }
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error, request.id);
    void reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });
  app.all('*', (request, reply) => {
    const found = route(request.url.split('?', 1)[0]!);
    if (found?.url === undefined) return refuse(request, reply, `${found?.name ?? 'nobody'} is not up`);
    void reply.from(found.url + request.url, {
      retryDelay: () => null, // the client knows better what may be repeated
      // The host a client named decides whether it is answered at all, so it is passed on as it is.
      rewriteRequestHeaders: (_request, headers) => ({ ...headers, host: request.headers.host ?? '', 'x-forwarded-for': request.ip }),
      onError: (_reply, { error }) => refuse(request, reply, `${found.name} did not answer`, error),
    });
  });

  const listening = runnable(
    'router',
    async () => void (await app.listen({ host, port, backlog: 1024 })),
    async () => {
      // Connections at rest end at once, answers under way get their time.
      const drained = new AbortController();
      const closing = app.close().finally(() => drained.abort());
      await Promise.race([closing, world.sleep(10_000, drained.signal).then(() => app.server.closeAllConnections())]);
      await closing;
    },
  );
  return {
    ...listening,
    port() {
      const address = app.server.address();
      if (address === null || typeof address === 'string') throw new Error('the router does not listen yet');
      return address.port;
    },
  };
}
