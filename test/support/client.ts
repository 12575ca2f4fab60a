/** A client of the program as a process of its own: one that bears with a server that dies in between. */

/** All pages of a list. */
export async function listOf<Item>(url: string, path: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body } = await ask<{ items: Item[]; next_cursor: string | null }>(url, 'GET', `${path}${path.includes('?') ? '&' : '?'}limit=200${from}`);
    items.push(...body.items);
    cursor = body.next_cursor;
  }
  return items;
}

/** Asks; status 0 when the connection broke before the answer was complete. */
export async function ask<Body>(url: string, method: string, path: string, body?: unknown, headers = {}): Promise<{ status: number; body: Body }> {
  try {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await fetch(url + path, {
      method,
      headers: { ...type, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Body };
  } catch {
    return { status: 0, body: undefined as Body };
  }
}
