/**
 * Asking inventory about products when it runs in another process: by message, because services share nothing else.
 *
 *   API process                       inventory               a worker of orders
 *   row, and product.tell ──────────> product.told ─────────> learns the products, marks the row
 *   looks at the row <───────────────────────────────────────────┘
 *
 * | what | then |
 * |---|---|
 * | no answer in 3 s | the order is refused as `catalogue_away`: whether the product exists is not known here |
 * | the answer comes after that | the products are learned all the same, so the next try finds them |
 * | the process dies while it waits | its row is removed by a later question |
 *
 * A process asks one question at a time, about everything its requests have in doubt: a stream of wrong skus makes no stream of messages.
 */
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import type { AnyMessage } from '../messaging/service.ts';
import * as store from './store-catalogue.ts';
import type { AskCatalogue } from './use-cases-place.ts';

const ANSWER_MS = 3_000;
/** The row is looked at after 25 ms, then less and less often. */
const LOOK_FIRST_MS = 25;
const LOOK_MOST_MS = 250;
/** Questions nobody waits for any more. */
const FORGOTTEN_MS = 600_000;
/** Skus in one question, at most. */
const SKUS_MAX = 2_000;

interface Question {
  readonly skus: Set<string>;
  /** Whether it was answered in time. */
  readonly answered: Promise<boolean>;
}

export function askByMessage(mailbox: Mailbox): AskCatalogue {
  let open: Question | undefined;
  let before: Promise<unknown> = Promise.resolve();

  function question(): Question {
    if (open !== undefined && open.skus.size < SKUS_MAX) return open;
    const skus = new Set<string>();
    const mine: Question = {
      skus,
      answered: before.then(() => {
        if (open === mine) open = undefined; // who comes now has not been asked about
        return ask(mailbox, [...skus]);
      }),
    };
    open = mine;
    before = mine.answered.catch(() => undefined); // those who wait for it are told
    return mine;
  }

  return async (skus) => {
    const { skus: asked, answered } = question();
    for (const sku of skus) asked.add(sku);
    return (await answered) ? [...(await store.findProducts(mailbox.db.read, skus)).values()] : undefined;
  };
}

/** Whether the question was answered in time. */
async function ask({ db, world, write }: Mailbox, skus: readonly string[]): Promise<boolean> {
  const id = world.id('qst');
  await write(async ({ tx, now, say }) => {
    await store.forgetQuestions(tx, now - FORGOTTEN_MS);
    await store.insertQuestion(tx, { id, asked_at: now });
    say([{ type: 'product.tell', subject: id, data: { question_id: id, skus: [...skus] } }]);
  });
  for (let waited = 0, rest = LOOK_FIRST_MS; waited < ANSWER_MS; rest = Math.min(LOOK_MOST_MS, rest * 1.5)) {
    await world.sleep(rest);
    waited += rest;
    if (await store.isAnswered(db.read, id)) return true;
  }
  return false;
}

export async function hearAnswers({ tx, now }: Unit, answers: readonly AnyMessage<'product.told'>[]): Promise<void> {
  await store.learnProducts(
    tx,
    answers.flatMap(({ data }) => data.products),
  );
  await store.markAnswered(
    tx,
    answers.map(({ data }) => ({ id: data.question_id, answered_at: now })),
  );
}
