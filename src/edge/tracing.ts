/**
 * A span for each request to a route: part of the caller's trace where the request brings a traceparent, the first of a new one else.
 * Pages, health and metrics have none; without a tracer nothing is hooked in.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ATTRIBUTE, type Span, type Tracer } from '../kernel/tracing.ts';
import type { Route } from '../messaging/service.ts';

export interface RequestTraces {
  /** The traceparent of a request's span; undefined when it has none. */
  of(request: FastifyRequest): string | undefined;
  /** What went wrong with it. */
  failed(request: FastifyRequest, error: unknown): void;
}

const NONE: RequestTraces = { of: () => undefined, failed: () => undefined };

export function traceRequests(app: FastifyInstance, tracer: Tracer | undefined, routes: readonly Route[]): RequestTraces {
  if (tracer === undefined) return NONE;
  const spans = new WeakMap<FastifyRequest, Span>();
  const errors = new WeakMap<FastifyRequest, { readonly error: unknown }>();
  const paths = new Map(routes.map(({ method, path }) => [`${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, path]));

  app.addHook('onRequest', (request, _reply, next) => {
    const path = paths.get(`${request.method} ${request.routeOptions.url}`);
    if (path !== undefined) spans.set(request, begin(tracer, request, path));
    next();
  });
  app.addHook('onResponse', (request, { statusCode }, next) => {
    const span = spans.get(request);
    span?.set({ [ATTRIBUTE.status]: statusCode });
    // What the caller did wrong is not our error, says the convention.
    span?.end(statusCode >= 500 ? errors.get(request)?.error : undefined);
    next();
  });
  return {
    of: (request) => spans.get(request)?.traceparent,
    failed: (request, error) => void errors.set(request, { error }),
  };
}

const begin = (tracer: Tracer, { id, method, url, headers }: FastifyRequest, route: string): Span =>
  tracer.start(`${method} ${route}`, {
    kind: 'server',
    parent: typeof headers['traceparent'] === 'string' ? headers['traceparent'] : undefined,
    attributes: { [ATTRIBUTE.method]: method, [ATTRIBUTE.route]: route, [ATTRIBUTE.path]: url.split('?', 1)[0], [ATTRIBUTE.request]: id },
  });
