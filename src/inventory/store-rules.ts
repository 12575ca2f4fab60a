/** SQL for what holds of a level: its safety stock and when it is low. Its own rule is kept apart; what follows stands in the level. */
import { type Database, type Tx, statement } from '../db/database.ts';

/** What a warehouse says of a sku; null: as the product says. */
export interface LevelRule {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly safety_stock: number | null;
  readonly low_at: number | null;
  readonly updated_at: number;
}
const RULE = { sku: 'text', warehouse_id: 'text', safety_stock: 'bigint', low_at: 'bigint', updated_at: 'bigint' } as const;

const upsertRules = statement<LevelRule>(
  RULE,
  (rows) => `
    insert into stock_setting (sku, warehouse_id, safety_stock, low_at, updated_at)
    select row.sku, row.warehouse_id, row.safety_stock, row.low_at, row.updated_at from ${rows} where true
    on conflict (sku, warehouse_id) do update set safety_stock = excluded.safety_stock, low_at = excluded.low_at, updated_at = excluded.updated_at`,
);
const readRules = statement<{ sku: string }, LevelRule>(
  { sku: 'text' },
  (rows) => `select s.sku, s.warehouse_id, s.safety_stock, s.low_at, s.updated_at from ${rows} join stock_setting s on s.sku = row.sku`,
);
const writeIntoLevels = statement<LevelRule>(
  RULE,
  (rows) => `
    update stock_level set safety_stock = row.safety_stock, low_at = row.low_at, updated_at = row.updated_at
    from ${rows} where stock_level.sku = row.sku and stock_level.warehouse_id = row.warehouse_id`,
);

export const saveRule = (tx: Tx, rule: LevelRule): Promise<unknown> => tx.run(upsertRules, [rule]);
export const rulesOf = (tx: Tx, sku: string): Promise<LevelRule[]> => tx.run(readRules, [{ sku }]);

/** What holds of levels from now on: `safety_stock` is a number here. */
export const applyRules = (tx: Tx, rules: readonly LevelRule[]): Promise<unknown> => tx.run(writeIntoLevels, rules);

export interface RuleFilter {
  readonly sku?: string | undefined;
  readonly warehouse_id?: string | undefined;
  readonly after?: readonly [string, string] | undefined;
  readonly limit: number;
}
/** Rules of their own, by sku and warehouse, at most `limit`. */
export function listRules(db: Database, { sku, warehouse_id, after, limit }: RuleFilter): Promise<LevelRule[]> {
  let query = db.builder<{ stock_setting: LevelRule }>().selectFrom('stock_setting').selectAll().orderBy('sku').orderBy('warehouse_id').limit(limit);
  if (sku !== undefined) query = query.where('sku', '=', sku);
  if (warehouse_id !== undefined) query = query.where('warehouse_id', '=', warehouse_id);
  if (after !== undefined) query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('sku', 'warehouse_id'), '>', tuple(...after)));
  return db.read.query(query);
}
