/**
 * The page at `/` against the API it leans on: its script runs in a document that is just large enough, and a person presses buttons.
 */
import vm from 'node:vm';
import { afterAll, beforeAll, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { until } from '../support/server.ts';

class Element {
  children: (Element | string)[] = [];
  className = '';
  disabled = false;
  readonly tag: string;
  private readonly clicks: (() => unknown)[] = [];

  constructor(tag: string) {
    this.tag = tag;
  }
  get textContent(): string {
    return this.children.map((child) => (typeof child === 'string' ? child : child.textContent)).join('');
  }
  set textContent(text: string) {
    this.children = [text];
  }
  append(...children: (Element | string)[]): void {
    this.children.push(...children);
  }
  replaceChildren(...children: (Element | string)[]): void {
    this.children = children;
  }
  setAttribute(): void {}
  addEventListener(_: string, listener: () => unknown): void {
    this.clicks.push(listener);
  }
  click(): void {
    for (const listener of this.clicks) void listener();
  }
  /** The first element below this one that has this tag and text. */
  find(tag: string, text: string): Element | undefined {
    for (const child of this.children) {
      if (typeof child === 'string') continue;
      const found = child.tag === tag && child.textContent === text ? child : child.find(tag, text);
      if (found) return found;
    }
    return undefined;
  }
}

let app: TestApp;
const parts = new Map<string, Element>();
const part = (id: string): Element => parts.get(id)!;
let open = true;

beforeAll(async () => {
  app = await startApp();
  const page = await (await fetch(app.url())).text();
  for (const [, id] of page.matchAll(/ id="([a-z]+)"/g)) parts.set(id!, new Element('div'));
  const document = { getElementById: part, createElement: (tag: string) => new Element(tag), hidden: false };
  const script = /<script>([^]*)<\/script>/.exec(page)![1]!;
  vm.runInNewContext(script, {
    document,
    crypto,
    Intl,
    fetch: (path: string, init: RequestInit) => fetch(app.url() + path, init),
    setTimeout: (wake: () => void) => setTimeout(() => open && wake(), 20),
  });
});
afterAll(async () => {
  open = false;
  await app.stop();
});

const shows = (id: string, text: string): Promise<true> =>
  until(async () => part(id).textContent.includes(text) || undefined, `#${id} shows ${text}; it shows ${part(id).textContent}`);
async function press(id: string, label: string): Promise<void> {
  const button = await until(async () => part(id).find('button', label), `there is a button ${label}`);
  button.click();
}

test('an order is placed, watched, dispatched and delivered with nothing but the page', async () => {
  await shows('health', 'ok, version');
  await shows('audit', 'every number adds up');
  part('sample').click();
  await shows('said', 'Placed.');
  await shows('orders', 'confirmed');
  await shows('chosen', 'waits for');
  await shows('chosen', 'order.placed');
  await press('shipments', 'Dispatch');
  await press('shipments', 'Deliver');
  await shows('orders', 'delivered');
  await shows('consumers', 'notifications');
});

test('another one is cancelled', async () => {
  part('sample').click();
  await press('chosen', 'Cancel the order');
  await shows('orders', 'cancelled');
});

test('a paused consumer is seen', async () => {
  await app.post('/v1/consumers/orders/pause', { reason: 'x' });
  await shows('consumers', 'paused');
  await shows('health', 'degraded');
});
