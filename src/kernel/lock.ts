/** A lock that all threads of the program share. */

/** The shared word. */
export type LockWord = SharedArrayBuffer;
export const lockWord = (): LockWord => new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);

/** Does `work` while nobody else, in any thread, does something under the same lock. Whoever came first goes first. */
export async function alone<T>(lock: LockWord, work: () => Promise<T>): Promise<T> {
  const word = new Int32Array(lock);
  while (Atomics.compareExchange(word, 0, 0, 1) !== 0) {
    const wait = Atomics.waitAsync(word, 0, 1);
    if (wait.async) await wait.value;
  }
  try {
    return await work();
  } finally {
    Atomics.store(word, 0, 0);
    Atomics.notify(word, 0, 1);
  }
}
