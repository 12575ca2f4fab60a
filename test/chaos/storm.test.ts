import { expect, it } from 'vitest';
import { nextDeed } from './load.ts';
import { type Trouble, planOf, startStorm } from './storm.ts';
import { saleSku, wishOf } from './wishes.ts';

const targets = (...names: string[]) => new Map(names.map((name) => [name, async () => undefined]));
const TROUBLES: Trouble[] = [
  { kind: 'killed', lane: 'process', lasts: [10, 20], targets: targets('a', 'b', 'c') },
  { kind: 'frozen', lane: 'process', lasts: [100, 200], targets: targets('a', 'b', 'c') },
  { kind: 'crashed', lane: 'broker', lasts: [0, 0], targets: targets('node') },
  { kind: 'impossible', lane: 'broker', lasts: [0, 0], targets: targets() },
];

it('plans the same for the same seed, and something else for another', () => {
  const plan = (seed: number) => [...planOf('process', TROUBLES, seed).take(50)];
  expect(plan(7)).toEqual(plan(7));
  expect(plan(8)).not.toEqual(plan(7));
});

it('gives every kind its turn before one comes again, at every target, within its bounds', () => {
  const plan = [...planOf('process', TROUBLES, 1).take(200)];
  for (let i = 0; i < plan.length; i += 2)
    expect(
      plan
        .slice(i, i + 2)
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['frozen', 'killed']);
  expect(new Set(plan.map(({ kind, target }) => `${kind} ${target}`)).size).toBe(6);
  for (const { kind, lasts } of plan) expect(kind === 'killed' ? lasts >= 10 && lasts <= 20 : lasts >= 100 && lasts <= 200).toBe(true);
});

it('gives some more turns than others', () => {
  const often = TROUBLES.map((trouble) => ({ ...trouble, turns: trouble.kind === 'killed' ? 3 : 1 }));
  const kinds = [...planOf('process', often, 1).take(40)].map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'killed').length).toBe(30);
});

it('keeps to its lane, and passes over what cannot be done', () => {
  expect(
    new Set(
      planOf('broker', TROUBLES, 1)
        .take(20)
        .map(({ kind }) => kind),
    ),
  ).toEqual(new Set(['crashed']));
  expect([...planOf('database', TROUBLES, 1)]).toEqual([]);
});

it('ends what it has begun before it says that all is whole', async () => {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const strike = async (): Promise<void> => {
    begun.resolve();
    await ended.promise;
  };
  const storm = startStorm([{ kind: 'killed', lane: 'process', lasts: [0, 0], targets: new Map([['a', strike]]) }], 1, 0);
  await begun.promise;
  expect([storm.counts(), storm.now()]).toEqual([{ killed: 1 }, ['killed a']]);
  let whole = false;
  const over = storm.end().then(() => (whole = true));
  await Promise.resolve();
  expect(whole).toBe(false);
  ended.resolve();
  await over;
  expect([storm.counts(), storm.now()]).toEqual([{ killed: 1 }, []]);
});

it('says what could not be done', async () => {
  const broken = {
    kind: 'killed',
    lane: 'process',
    lasts: [0, 0],
    targets: new Map([['a', () => Promise.reject(new Error('no such process'))]]),
  } as const;
  const storm = startStorm([broken], 1, 0);
  await expect(storm.failed).rejects.toThrow('no such process');
  await expect(storm.end()).rejects.toThrow('no such process');
});

it('wishes the same for the same seed, for things there are', () => {
  const wishes = (seed: number) => Array.from({ length: 200 }, (_, n) => wishOf(seed, n, n % 5 === 0 ? 3 : undefined));
  expect(wishes(1)).toEqual(wishes(1));
  expect(wishes(2)).not.toEqual(wishes(1));
  expect(wishes(1)[0]!.lines[0]!.sku).toBe(saleSku(3));
  expect(new Set(wishes(1).map(({ plan }) => plan)).size).toBe(5);
  expect(new Set(wishes(1).map(({ token }) => token)).size).toBe(6);
});

it('asks of an order what its plan says, as long as it can be done', () => {
  const order = (status: string, shipment_id?: string, status_reason: string | null = null) => ({
    status,
    status_reason,
    stops: [{ stop: 'shipping', state: 'done', ...(shipment_id === undefined ? {} : { shipment_id }) }],
  });
  const nothing = new Map();
  const asked = new Map([['cancel', 1]] as const);
  expect(nextDeed(order('pending'), 'cancel_early', nothing)).toBe('cancel');
  expect(nextDeed(order('pending'), 'cancel_early', asked)).toBe('wait');
  expect(nextDeed(order('confirmed', 'shp_1'), 'cancel_late', nothing)).toBe('cancel');
  expect(nextDeed(order('confirmed', 'shp_1'), 'cancel_late', asked)).toBe('done');
  expect(nextDeed(order('confirmed'), 'deliver', nothing)).toBe('wait');
  expect(nextDeed(order('confirmed', 'shp_1'), 'deliver', nothing)).toBe('dispatch');
  expect(nextDeed(order('confirmed', 'shp_1', 'cancelling'), 'deliver', nothing)).toBe('wait');
  expect(nextDeed(order('shipped', 'shp_1'), 'deliver', nothing)).toBe('deliver');
  expect(nextDeed(order('shipped', 'shp_1'), 'dispatch', nothing)).toBe('done');
  expect(nextDeed(order('on_hold', 'shp_1', 'capture_failed'), 'deliver', nothing)).toBe('cancel');
  expect(nextDeed(order('on_hold', 'shp_1', 'technical'), 'deliver', nothing)).toBe('wait');
  expect(nextDeed(order('cancelled'), 'deliver', nothing)).toBe('done');
});
