/**
 * Many requests under way at once, but no more than so many: the server is kept busy and not buried.
 */

/**
 * Calls `work` for each item, at most `width` at a time, taking items only as there is room. The first error stops the taking and is thrown, when
 * what is under way has come to its end.
 */
export async function forEach<Item>(items: AsyncIterable<Item> | Iterable<Item>, width: number, work: (item: Item) => Promise<void>): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const errors: unknown[] = [];
  try {
    for await (const item of items) {
      const call: Promise<void> = work(item)
        .catch((error: unknown) => void errors.push(error))
        .finally(() => underWay.delete(call));
      underWay.add(call);
      if (underWay.size >= width) await Promise.race(underWay);
      if (errors.length > 0) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (errors.length > 0) throw errors[0];
}
