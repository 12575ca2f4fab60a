import { expect, test } from 'vitest';
import { type LeaseRow, partOf, planOf } from './shards.ts';

const member = (owner: string, alive = 1): LeaseRow => ({ name: `relay:orders@${owner}`, owner, alive });
const lease = (shard: number, owner: string, alive = 1): LeaseRow => ({ name: `relay:orders:${shard}`, owner, alive });

test('parts are equal, and the oldest has what is left over', () => {
  const parts = (shards: number, ...members: string[]) => members.map((me) => partOf(shards, members, me));
  expect(parts(4, 'pid_1')).toEqual([4]);
  expect(parts(4, 'pid_1', 'pid_2')).toEqual([2, 2]);
  expect(parts(4, 'pid_3', 'pid_1', 'pid_2')).toEqual([1, 2, 1]);
  expect(parts(1, 'pid_1', 'pid_2')).toEqual([1, 0]);
});

test('who is alone takes all, once they are free', () => {
  expect(planOf(3, 'orders', 'pid_1', [])).toEqual({ hold: [0, 1, 2], give: [], part: 3 });
  const left = [member('pid_0', 0), lease(0, 'pid_0', 0), lease(1, 'pid_0', 1), lease(2, 'pid_1')];
  expect(planOf(3, 'orders', 'pid_1', left)).toEqual({ hold: [2, 0], give: [], part: 3 });
});

test('who has more than its part gives up the rest; who has less takes what is free and nothing else', () => {
  const rows = [member('pid_1'), member('pid_2'), ...[0, 1, 2, 3].map((shard) => lease(shard, 'pid_1'))];
  expect(planOf(4, 'orders', 'pid_1', rows)).toEqual({ hold: [0, 1], give: [2, 3], part: 2 });
  expect(planOf(4, 'orders', 'pid_2', rows)).toEqual({ hold: [], give: [], part: 2 });
  expect(planOf(4, 'orders', 'pid_2', rows.slice(0, 5))).toEqual({ hold: [3], give: [], part: 2 });
});
