/**
 * What is committed and not yet on the disk, for all threads that have one SQLite file open.
 *
 * A commit is visible to every connection before its flush is over, and what a reader has seen it may tell only after that. Commits are
 * numbered while the writer holds the file's lock, so numbers are in the order of commits; and a flush that begins after a commit takes
 * with it everything committed before. So when as many flushes have ended as there were commits when the reader looked, all it can have
 * seen is on the disk.
 */
import { Fault } from '../kernel/errors.ts';

/** The shared words: commits begun, flushes ended, and whether one has failed. */
export type FlushWords = SharedArrayBuffer;
export const flushWords = (): FlushWords => new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);

const BEGUN = 0;
const ENDED = 1;
const FAILED = 2;

export interface Flushes {
  /** To be called before a commit that will be flushed, while the file is locked. */
  begin(): void;
  end(): void;
  /** After a flush that failed nobody knows what is on the disk, in no thread. */
  fail(): void;
  /** Resolves when all that is committed now is on the disk. Rejects when that cannot be known. */
  settled(): Promise<void>;
}

export function openFlushes(words: FlushWords, name: string): Flushes {
  const counts = new Int32Array(words);

  function check(): void {
    if (Atomics.load(counts, FAILED) !== 0)
      throw new Fault('unavailable', `the log of database ${name} could not be flushed; restart when the disk is sound`);
  }

  return {
    begin: () => void Atomics.add(counts, BEGUN, 1),
    end() {
      Atomics.add(counts, ENDED, 1);
      Atomics.notify(counts, ENDED);
    },
    fail: () => void Atomics.store(counts, FAILED, 1),
    async settled() {
      check();
      const begun = Atomics.load(counts, BEGUN);
      for (let ended = Atomics.load(counts, ENDED); ((ended - begun) | 0) < 0; ended = Atomics.load(counts, ENDED)) {
        const wait = Atomics.waitAsync(counts, ENDED, ended);
        if (wait.async) await wait.value;
      }
      check();
    },
  };
}
