/**
 * The HTTP server: routes and doors in, answers and problem documents out.
 *
 *   request ── host, limits, request id ──> headers ──> input ──> route.handle ──> answer
 *                      any of them may throw ──> problem document (problem.ts) ──> answer
 *
 * A `Route` is a use-case as data (messaging/service.ts). A `Door` is the rest: pages, health, metrics, whose status and type are
 * their own. The edge knows no service; app.ts hands it both.
 *
 * Validation runs here and not in the HTTP library's hooks, so that path, query, headers and body are checked together and all faults
 * are named in one answer. Answers are not checked against their schemas: what does not fit is a bug for tests to find
 * (`checkAnswers`), and turning an order that is already committed into a 500 would help nobody.
 */
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { z } from 'zod';
import type { FileAnswer } from '../contracts/rest.ts';
import { CATALOGUE, Fault, Refusal, codeOf } from '../kernel/errors.ts';
import { type Runnable, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { traceIds } from '../kernel/tracing.ts';
import type { World } from '../kernel/world.ts';
import type { RequestContext, Route } from '../messaging/service.ts';
import { contextOf, keysUnderWay, requestIdOf } from './context.ts';
import { readInput, unknownFields } from './input.ts';
import { PROBLEM_TYPE, problemOf, retryAfterOf } from './problem.ts';
import { type RequestTraces, traceRequests } from './tracing.ts';

/** A GET whose answer is no use-case's: health, metrics, pages. */
export interface Door {
  readonly path: string;
  /** What /openapi.json says of it; a door without is not listed there. */
  readonly listed?: { readonly tag: string; readonly summary: string; readonly output?: z.ZodType };
  answer(path: string): Promise<DoorAnswer>;
}
export interface DoorAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  /** Headers beside the usual ones, or in their place. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface EdgeOptions {
  readonly world: World;
  readonly telemetry: Telemetry;
  readonly host: string;
  readonly port: number;
  readonly routes: readonly Route[];
  readonly doors: readonly Door[];
  /** Only requests addressed to this machine by name are answered. What a page of another site makes a browser send never is. */
  readonly localOnly: boolean;
  /** Seconds to stay away when more is asked than can be done in time; asked before each route in `sheddable`. */
  overloaded?(): number | undefined;
  /** For tests: an answer that is not as its schema says is a 500. */
  readonly checkAnswers?: boolean;
}

export interface Edge extends Runnable {
  /** Where it listens, e.g. `http://127.0.0.1:8000`; throws before the start. */
  url(): string;
}

export const BODY_BYTES_MAX = 1_048_576;
/** Routes that make new work: the ones to refuse when there is too much of it. Everything else helps to get rid of work, or only looks. */
const SHEDDABLE: ReadonlySet<string> = new Set(['POST /v1/orders']);
/** How long a request may take to arrive, and a stop may wait for answers under way, milliseconds. */
const REQUEST_MS = 30_000;
const DRAIN_MS = 10_000;
/** How often a fault of one code is logged, at most: a full disk fails 900 requests a second, and the log may be on that disk. */
const LOUD_MS = 1_000;

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const;

export function openEdge(options: EdgeOptions): Edge {
  const { world, telemetry, host, port, routes, doors } = options;
  const signed = signedBodies(routes);
  const app = server(world, signed);
  const { httpRequests } = telemetry.metrics;
  const traces = traceRequests(app, telemetry.tracer, routes);

  app.addHook('onRequest', (request, reply, next) => {
    void reply.headers({ ...HEADERS, 'x-request-id': request.id });
    refuseForeign(request, options.localOnly);
    next();
  });
  app.addHook('onResponse', (request, reply, next) => {
    // Unknown paths share one label: a scanner must not grow the metrics.
    httpRequests.observe({ method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode }, reply.elapsedTime / 1000);
    next();
  });
  const loud = oncePer(LOUD_MS, world);
  app.setErrorHandler((error, request, reply) => {
    traces.failed(request, error);
    sendProblem(error, request, reply, telemetry, loud, traces);
  });
  const methods = methodsOf(routes, doors);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!;
    const allowed = methods(path);
    if (allowed.length === 0) throw new Refusal('route_not_found', `nothing answers ${request.method} ${path}`);
    void reply.header('allow', allowed.join(', '));
    throw new Refusal('method_not_allowed', `${path} answers ${allowed.join(', ')}, not ${request.method}`);
  });

  const once = keysUnderWay();
  for (const route of routes) addRoute(app, route, options, { once, traces, signed });
  for (const door of doors) addDoor(app, door);

  const lifecycle = runnable(
    'http',
    async () => {
      await app.listen({ host, port, backlog: 1024 });
    },
    async () => {
      const drained = new AbortController();
      const closing = app.close().finally(() => drained.abort());
      await Promise.race([closing, world.sleep(DRAIN_MS, drained.signal).then(() => app.server.closeAllConnections())]);
      await closing;
    },
  );
  return { ...lifecycle, url: () => urlOf(app.server.address() as AddressInfo | null) };
}

function server(world: World, signed: SignedBodies): FastifyInstance {
  const app = fastify({
    logger: false, // a line a request is what metrics are for; a child logger a request costs 5 % of the throughput
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: 75_000, // longer than the 60 s of usual proxies, so that it is they who close
    http: { requireHostHeader: false }, // Node's own refusal is no problem document; ours is below
    routerOptions: { maxParamLength: 16_384 }, // the schemas know better how long an id may be
    return503OnClosing: false, // while draining, what still comes in is answered properly
    genReqId: (request) => requestIdOf(request.headers['x-request-id']) ?? world.id('req'),
    frameworkErrors: (error, request, reply) => {
      const problem = problemOf(error, request.id);
      const untyped: Pick<FastifyReply, 'code'> = reply;
      void untyped.code(problem.status).headers(HEADERS).type(PROBLEM_TYPE).send(JSON.stringify(problem));
    },
    clientErrorHandler(error, socket) {
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
      const body = JSON.stringify(problemOf(new Refusal('malformed_request', 'the request could not be read'), world.id('req')));
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    },
  });
  // JSON only: a form or a text, which a page of another site may send without asking, is refused. An empty body is no body.
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    signed.keep(request, body);
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
  return app;
}

/** The bodies of requests that somebody has signed, as they came. */
function signedBodies(routes: readonly Route[]): SignedBodies {
  const urls = new Set(routes.filter((route) => route.signed).map(({ path }) => urlPattern(path)));
  const bodies = new WeakMap<FastifyRequest, string>();
  return {
    keep(request, body) {
      if (urls.has(request.routeOptions.url ?? '')) bodies.set(request, body);
    },
    of(request) {
      const body = bodies.get(request);
      return body === undefined ? {} : { raw: { body, header: (name) => [request.headers[name] ?? []].flat()[0] } };
    },
  };
}
interface SignedBodies {
  keep(request: FastifyRequest, body: string): void;
  of(request: FastifyRequest): Pick<RequestContext, 'raw'>;
}

/** As the HTTP library writes paths. */
const urlPattern = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

interface AddTools {
  readonly once: ReturnType<typeof keysUnderWay>;
  readonly traces: RequestTraces;
  readonly signed: SignedBodies;
}

function addRoute(app: FastifyInstance, route: Route, options: EdgeOptions, { once, traces, signed }: AddTools): void {
  const name = `${route.method} ${route.path}`;
  const overloaded = SHEDDABLE.has(name) ? options.overloaded : undefined;
  const status = route.answers === 'created' ? 201 : 200;
  const locate = locationOf(route, options.routes);
  app.route({
    method: route.method,
    url: urlPattern(route.path),
    async handler(request, reply) {
      const wait = overloaded?.();
      if (wait !== undefined) {
        void reply.header('retry-after', wait);
        throw new Fault('overloaded', 'shedding');
      }
      const head = { method: request.method, url: request.url, headers: request.headers, body: request.body };
      const context = contextFor(route, { ...contextOf(head, request.id, traces.of(request)), ...(route.signed && signed.of(request)) }, head.body);
      const input = readInput(route, request);
      const output = await once(context, name, () => route.handle({ ...input, context }));
      const isPreview = route.previews !== undefined && isDryRun(input.body);
      if (options.checkAnswers) checkAnswer(route, output, isPreview ? route.previews : route.output);
      if (route.answers === 'file') return sendFile(reply, output as FileAnswer);
      const location = isPreview ? undefined : locate?.(output);
      if (location !== undefined) void reply.header('location', location);
      return reply
        .code(isPreview ? 200 : status)
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(output));
    },
  });
}

/** A document is the same as long as its hash is. */
const sendFile = (reply: FastifyReply, { type, body, sha256, name }: FileAnswer): FastifyReply =>
  reply
    .headers({ 'content-disposition': `inline; filename="${name}"`, etag: `"${sha256}"` })
    .type(type)
    .send(Buffer.from(body));

function addDoor(app: FastifyInstance, door: Door): void {
  app.get(urlPattern(door.path), async (request, reply) => {
    const { status, type, body, headers } = await door.answer(request.url.split('?', 1)[0]!);
    return reply
      .code(status)
      .headers(headers ?? {})
      .type(type)
      .send(body);
  });
}

/** Answers whether something of a name is due to be told; what was told less than `ms` ago is not. */
function oncePer(ms: number, world: World): (name: string) => boolean {
  const toldAt = new Map<string, number>();
  return (name) => {
    const now = world.now();
    if (Math.abs(now - (toldAt.get(name) ?? -ms)) < ms) return false;
    toldAt.set(name, now);
    return true;
  };
}

function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { log }: Telemetry,
  loud: (name: string) => boolean,
  traces: RequestTraces,
): void {
  const problem = problemOf(error, request.id);
  const { id: request_id, method } = request;
  const about = { request_id, method, route: request.routeOptions.url, code: problem.code, ...traceIds(traces.of(request)) };
  if (CATALOGUE[codeOf(error)].sort === 'bug' && problem.status >= 500) log.error({ ...about, err: error }, 'a request hit a bug');
  else if (error instanceof Fault && error.code !== 'overloaded' && loud(error.code))
    log.warn({ ...about, err: error }, 'a request could not be answered');
  else log.debug(about, 'a request was refused');
  const wait = retryAfterOf(codeOf(error));
  if (wait !== undefined && !reply.hasHeader('retry-after')) void reply.header('retry-after', wait);
  void reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

const LOCAL_HOST = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$/i;

/**
 * Without keys, whoever can make a browser send a request could order and cancel: a page whose name was made to point to this machine
 * (the Host is then its name), or a page of another site (the Origin is; a proxy in between says which host it stands for).
 */
function refuseForeign({ headers, raw }: FastifyRequest, localOnly: boolean): void {
  const { host, origin } = headers;
  if (host === undefined && raw.httpVersion === '1.1') throw new Refusal('malformed_request', 'the request names no host');
  if (localOnly && !LOCAL_HOST.test(host ?? ''))
    throw new Refusal('foreign_host', `this server answers as 127.0.0.1 and localhost, not as ${host ?? 'nothing'}`);
  if (origin === undefined) return;
  const from = URL.canParse(origin) ? new URL(origin).host : origin;
  if (from !== host && from !== headers['x-forwarded-host']) throw new Refusal('foreign_host', `a page of ${origin} asked`);
}

/** The methods of each path, for a 405 that says what would be allowed. */
function methodsOf(routes: readonly Route[], doors: readonly Door[]): (path: string) => string[] {
  const all = [...routes.map(({ method, path }) => ({ method, path })), ...doors.map(({ path }) => ({ method: 'GET', path }))];
  const patterns = all.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (path) => [
    ...new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))),
  ];
}

/** Where to read what a route has made: there must be a route that reads it, and the answer must name its id. */
function locationOf(route: Route, routes: readonly Route[]): ((output: unknown) => string | undefined) | undefined {
  if (route.answers !== 'created') return undefined;
  const reading = routes.find(({ method, path }) => method === 'GET' && path.startsWith(`${route.path}/{`) && path.endsWith('}'));
  const id = reading?.path.slice(route.path.length + 2, -1);
  if (id === undefined) return undefined;
  return (output) => {
    if (typeof output !== 'object' || output === null) return undefined;
    const fields = output as Readonly<Record<string, unknown>>;
    const made = fields[id] ?? fields['id'];
    return typeof made === 'string' ? `${route.path}/${made}` : undefined;
  };
}

const isDryRun = (body: unknown): boolean => (body as { dry_run?: unknown } | undefined)?.dry_run === true;
/** A rehearsal leaves its key unused: the request it rehearses may come at the same time. */
function contextFor({ previews }: Route, { idempotency, ...context }: RequestContext, body: unknown): RequestContext {
  const used = previews !== undefined && isDryRun(body) ? undefined : idempotency;
  return used === undefined ? context : { ...context, idempotency: used };
}

/** An answer must be what its schema says, with no field the schema does not name: those would be internal columns on their way out. */
function checkAnswer(route: Route, output: unknown, schema: z.ZodType): void {
  const checked = schema.safeParse(output);
  if (!checked.success) throw new Error(`${route.method} ${route.path} answers what its schema does not allow: ${checked.error.message}`);
  const leaked = unknownFields(output, checked.data);
  if (leaked.length > 0) throw new Error(`${route.method} ${route.path} answers fields its schema does not name: ${leaked.join(', ')}`);
}

function urlOf(address: AddressInfo | null): string {
  if (address === null) throw new Error('the server does not listen yet');
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${name === '0.0.0.0' || name === '[::]' ? '127.0.0.1' : name}:${address.port}`;
}
