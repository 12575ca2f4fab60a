/** One trace from POST /v1/orders to the notification, on every ground; and out of a process of its own, by settings alone. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { startServer, until } from '../support/server.ts';
import { openShop } from '../support/shop.ts';
import { type SeenSpan, type SeenTraces, keepTraces, openCollector } from '../support/tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

onEveryGround((ground) => {
  let opened: OpenGround;
  let traces: SeenTraces;
  let app: TestApp;
  beforeEach(async () => {
    opened = await ground.open();
    traces = keepTraces();
    app = await startApp({ telemetry: traces.telemetry, settings: opened.settings });
  });
  afterEach(async () => {
    await app?.stop();
    await traces.stop();
    await opened?.remove();
  });

  /** Names from the root of the trace down to a span. */
  function wayTo(span: SeenSpan, spans: readonly SeenSpan[]): string[] {
    const parent = spans.find(({ id }) => id === span.parent);
    return [...(parent === undefined ? [] : wayTo(parent, spans)), span.name];
  }

  test('one trace leads from the request to the notification of the customer', async () => {
    const shop = await openShop(app);
    const { id } = await shop.place({}, { traceparent: `00-${TRACE}-${CALLER}-01` });
    await shop.shipment(id, 'ready');
    const ofOrder = async (): Promise<SeenSpan[]> => (await traces.spans()).filter(({ trace }) => trace === TRACE);
    const isTold = ({ name }: SeenSpan): boolean => name === 'send notification.sent';
    const spans = await until(async () => {
      const found = await ofOrder();
      return found.some(isTold) && found.some(({ name }) => name === 'process shipment.ready') ? found : undefined;
    }, 'the customer is told that the order is confirmed, and orders that it is ready');

    const root = spans.filter(({ parent }) => parent === CALLER);
    expect(root.map(({ name }) => name)).toEqual(['POST /v1/orders']);
    expect(spans.every((span) => wayTo(span, spans)[0] === 'POST /v1/orders')).toBe(true);
    expect(wayTo(spans.find(isTold)!, spans)).toEqual([
      'POST /v1/orders',
      'create stock.reserve',
      'process stock.reserve',
      'create stock.reserved',
      'process stock.reserved',
      'create payment.authorize',
      'process payment.authorize',
      'create payment.authorized',
      'process payment.authorized',
      'create order.confirmed',
      'process order.confirmed',
      'create notification.sent',
      'send notification.sent',
    ]);
    const names = new Set(spans.map(({ name }) => name));
    expect(names).toContain('call payment operations');
    expect(names).toContain('call shipment registrations');
    for (const operation of ['create', 'send', 'process'])
      for (const type of ['stock.reserve', 'stock.reserved', 'payment.authorized', 'order.confirmed', 'shipment.ready'])
        expect(names).toContain(`${operation} ${type}`);
  });
});

test('a process sends its spans to the collector of its settings, the last ones when it stops; its log names the trace', async () => {
  const collector = await openCollector();
  try {
    const server = await startServer({
      env: {
        LOG_LEVEL: 'info',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret',
        OTEL_SERVICE_NAME: 'shop',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
    });
    const post = async (path: string, body: object, headers = {}) => {
      const answer = await fetch(server.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      return (await answer.json()) as { id: string };
    };
    await post('/v1/products', { sku: 'T', name: 'Teapot', price: 100, currency: 'EUR' });
    const { id: warehouse_id } = await post('/v1/warehouses', { name: 'Hamburg', location: 'Hamburg' });
    await post('/v1/stock/receipts', { warehouse_id, lines: [{ sku: 'T', quantity: 1 }] });
    const order = { customer: { id: 'c' }, currency: 'EUR', lines: [{ sku: 'T', quantity: 1 }] };
    await post('/v1/orders', order, { traceparent: `00-${TRACE}-${CALLER}-01` });
    const line = await until(async () => server.output().match(/.*"topic":"order.confirmed".*/)?.[0], 'the customer is told');
    expect(JSON.parse(line)).toMatchObject({ trace_id: TRACE, span_id: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown });
    expect(await server.stop()).toEqual({ code: 0, signal: null });

    expect(collector.received.every(({ path, key }) => path === '/v1/traces' && key === 'secret')).toBe(true);
    const resources = collector.received.flatMap(({ body }) => body.resourceSpans);
    const attributes = resources[0]!.resource.attributes.map(({ key, value }) => [key, value.stringValue]);
    expect(attributes).toEqual(
      expect.arrayContaining([
        ['service.name', 'shop'],
        ['deployment.environment.name', 'test'],
      ]),
    );
    const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    const names = new Set(spans.filter(({ traceId }) => traceId === TRACE).map(({ name }) => name));
    for (const name of ['POST /v1/orders', 'create order.confirmed', 'process order.confirmed']) expect(names).toContain(name);
  } finally {
    await collector.close();
  }
});
