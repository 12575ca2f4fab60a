/** Dead letters sent again with other data. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { redriveEdited } from '../../src/messaging/edited.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, effects, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('a dead letter that is edited on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let station: Station;
  let broken: boolean;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    broken = false;
    station = await bench.service('inventory', {
      transport,
      subscriptions: [
        recording(['stock.release'], 'inbox', () => {
          if (broken) throw new TypeError('a bug');
        }),
      ],
    });
  });
  afterEach(() => bench.close());

  const right = { order_id: 'o1', reason: 'test' };
  /** One whose sender wrote a number where an id belongs. */
  async function wrong(): Promise<deadLetters.DeadLetter> {
    await transport.deliver([command('o1', { data: { order_id: 1, reason: 'test' } })]);
    return (await deadLetters.list(station.mailbox.db, {}, undefined, 50)).items[0]!;
  }
  const edit = (id: string, data: unknown): Promise<void> =>
    station.mailbox.write((unit) => redriveEdited(unit, id, data, { actor: 'ada', reason: 'a typing error' }, bench.world));
  /** What was sent again, delivered. */
  async function returned(): Promise<Message> {
    await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'inventory'));
    const at = transport.published.findIndex(({ destination }) => destination === 'inventory');
    const [pack] = transport.published.splice(at, 1);
    await transport.deliver(pack!.messages);
    return pack!.messages[0]!;
  }
  const now = (id: string) => deadLetters.get(station.mailbox.db, id);

  it('K17 is another message, caused by the first; its handling resolves the row, which tells what was changed', async () => {
    const { id, message_id } = await wrong();
    await edit(id, right);
    const sent = await returned();
    expect(sent).toMatchObject({ causationid: message_id, redrive: id, data: right, subject: 'o1' });
    expect(sent.id).not.toBe(message_id);
    expect((await effects(station)).map((one) => one.message_id)).toEqual([sent.id]);
    const { status, history } = await now(id);
    expect([status, history.map(({ action, actor, detail }) => [action, actor, detail]).slice(1)]).toEqual([
      'resolved',
      [
        ['edited', 'ada', 'order_id: 1 → "o1"'],
        ['redriven', 'ada', 'a typing error'],
        ['resolved', 'consumer', ''],
      ],
    ]);
  });

  it('K17 that fails is open again, as one dead letter with the edited message in it', async () => {
    const { id } = await wrong();
    broken = true;
    await edit(id, right);
    const sent = await returned();
    expect(await now(id)).toMatchObject({ status: 'open', redrives: 1, error: 'a bug', message_id: sent.id, message: { data: right } });
    expect(await station.count('dead_letter')).toBe(1);
  });

  it('K17 is refused where it breaks the contract, with the field, or changes nothing', async () => {
    const { id, message } = await wrong();
    await expect(edit(id, { order_id: 2, reason: 'test' })).rejects.toMatchObject({ code: 'invalid_request', errors: [{ field: 'data.order_id' }] });
    await expect(edit(id, message.data)).rejects.toMatchObject({ code: 'invalid_request' });
    expect((await now(id)).history).toHaveLength(1);
    await transport.deliver([], { undecodable: 'garbage' });
    const [garbage] = (await deadLetters.list(station.mailbox.db, {}, undefined, 50)).items;
    await expect(edit(garbage!.id, right)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('K17 is refused when it is not open, not there, or was handled after all', async () => {
    const { id, message_id } = await wrong();
    await expect(edit('dl_none', right)).rejects.toMatchObject({ code: 'dead_letter_not_found' });
    await transport.deliver([command('o1', { id: message_id })]); // another copy, which was right
    await expect(edit(id, right)).rejects.toMatchObject({
      code: 'dead_letter_state',
      message: expect.stringContaining('handled after all') as string,
    });
    await station.mailbox.write((unit) => deadLetters.discard(unit, id, 'handled', 'ada'));
    await expect(edit(id, right)).rejects.toMatchObject({ code: 'dead_letter_state' });
    expect(await effects(station)).toHaveLength(1);
  });
});
