import { describe, expect, it } from 'vitest';
import { flushWords, openFlushes } from './flushes.ts';

describe('what is on the disk, for two threads with one file', () => {
  const pair = () => {
    const words = flushWords();
    return [openFlushes(words, 'test'), openFlushes(words, 'test')] as const;
  };
  /** Whether it still waits after what can be told at once has been told. */
  const waits = async (promise: Promise<void>): Promise<boolean> => {
    let settled = false;
    void promise.then(() => (settled = true));
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return !settled;
  };

  it('settles at once when nothing is under way', async () => {
    const [, reader] = pair();
    await reader.settled();
  });

  it('waits for the flush that was under way when it was asked, and for no later one', async () => {
    const [writer, reader] = pair();
    writer.begin();
    const settled = reader.settled();
    expect(await waits(settled)).toBe(true);
    writer.end();
    writer.begin();
    await settled;
    expect(await waits(reader.settled())).toBe(true);
    writer.end();
  });

  it('a later flush that has ended has taken an earlier commit along', async () => {
    const [one, other] = pair();
    one.begin();
    const settled = other.settled();
    other.begin();
    other.end(); // its flush began after both commits
    await settled;
    one.end();
  });

  it('a flush that failed is known in all threads, for good', async () => {
    const [writer, reader] = pair();
    writer.begin();
    const settled = reader.settled();
    writer.fail();
    writer.end();
    await expect(settled).rejects.toMatchObject({ code: 'unavailable' });
    await expect(reader.settled()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
