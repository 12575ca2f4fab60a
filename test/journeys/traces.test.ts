/** One trace from POST /v1/orders to the notification, on both transports. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';
import { until } from '../support/server.ts';
import { openShop } from '../support/shop.ts';
import { type SeenSpan, type SeenTraces, keepTraces } from '../support/tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const SERVICES = ['orders', 'payments', 'inventory', 'shipping', 'notifications'];

const transports = [
  { name: 'the embedded bus', rabbit: false },
  { name: 'RabbitMQ', rabbit: true },
].filter(({ rabbit }) => !rabbit || rabbitUrl !== undefined);

describe.each(transports)('over $name', ({ rabbit }) => {
  let traces: SeenTraces;
  let app: TestApp;
  const prefix = throwAwayPrefix();
  beforeEach(async () => {
    traces = keepTraces();
    app = await startApp({ telemetry: traces.telemetry, settings: rabbit ? { AMQP_URL: rabbitUrl, AMQP_PREFIX: prefix } : {} });
  });
  afterEach(async () => {
    await app.stop();
    await traces.stop();
    if (rabbit) await removeTopology(rabbitUrl!, prefix, SERVICES);
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
