import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault, Refusal } from './errors.ts';
import { type Peer, openPeer } from './peer.ts';

describe('two threads', () => {
  let line: MessageChannel;
  let here: Peer;
  let there: Peer;
  beforeEach(() => {
    line = new MessageChannel();
    here = openPeer(line.port1);
    there = openPeer(line.port2);
  });
  afterEach(() => line.port1.close());

  it('ask each other, and each gets its own answer', async () => {
    there.answer<number>('twice', async (n) => 2 * n);
    here.answer<string>('loud', async (text) => text.toUpperCase());
    expect(await Promise.all([here.ask('twice', 2), here.ask('twice', 3), there.ask('loud', 'a')])).toEqual([4, 6, 'A']);
  });

  it('tell each other things, in order', async () => {
    const heard: number[] = [];
    const all = Promise.withResolvers<void>();
    there.hear<number>('n', (n) => {
      heard.push(n);
      if (n === 99) all.resolve();
    });
    for (let n = 0; n < 100; n += 1) here.tell('n', n);
    await all.promise;
    expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it('pass on what was thrown as what it is', async () => {
    there.answer('refuse', async () => {
      throw new Refusal('unknown_sku', 'no such thing', [{ field: 'sku', rule: 'is unknown' }]);
    });
    there.answer('fail', async () => {
      throw new Fault('storage_full', 'the disk is full');
    });
    there.answer('break', async () => {
      throw new TypeError('broken');
    });
    const refusal = await here.ask('refuse').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ code: 'unknown_sku', message: 'no such thing', errors: [{ field: 'sku', rule: 'is unknown' }] });
    const fault = await here.ask('fail').catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect(fault).toMatchObject({ code: 'storage_full', message: 'the disk is full' });
    await expect(here.ask('break')).rejects.toThrow('broken');
    await expect(here.ask('nothing of the kind')).rejects.toThrow('nobody answers this');
  });

  it('are told when the line is closed, also those who wait', async () => {
    there.answer('never', () => new Promise(() => undefined));
    const waiting = here.ask('never');
    here.close();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await expect(here.ask('never')).rejects.toMatchObject({ code: 'unavailable' });
  });
});
