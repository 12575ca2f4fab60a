/** Safety stock and when stock is low: for a product everywhere, or for a sku in one warehouse. What becomes free by it goes to those who wait. */
import type { Unit } from '../messaging/mailbox.ts';
import { type Level, stockOf } from './domain.ts';
import type { Product } from './domain-catalogue.ts';
import { filledAnswers } from './domain-decide.ts';
import * as catalogue from './store.ts';
import { type LevelRule, applyRules, rulesOf, saveRule } from './store-rules.ts';
import * as store from './store-stock.ts';
import { fillLine, offersIn, saveMoved } from './use-cases.ts';
import { expectOpen, expectProducts } from './use-cases-hand.ts';

type Rule = Pick<Product, 'safety_stock' | 'low_at'>;

/** What a warehouse says of a sku goes before what the product says; null takes it back. Goods need not be there yet. */
export async function ruleLevel(unit: Unit, asked: Omit<LevelRule, 'updated_at'>): Promise<LevelRule> {
  const { tx, now } = unit;
  const { sku, warehouse_id } = asked;
  expectOpen(warehouse_id, await catalogue.lockWarehouse(tx, warehouse_id));
  await expectProducts(tx, [{ sku }], { archived: true, field: 'sku' });
  const rule = { ...asked, updated_at: now };
  await saveRule(tx, rule);
  const levels = await store.lockLevelsIn(tx, warehouse_id, [sku]);
  const [product] = await catalogue.findProductsBySku(tx, [sku]);
  await rewrite(unit, levels, () => effective(rule, product!));
  return rule;
}

/** A product says otherwise now: all levels follow that have no rule of their own. `levels` are locked, and were before the product was. */
export async function ruleProduct(unit: Unit, product: Product, levels: readonly Level[]): Promise<void> {
  const own = new Map((await rulesOf(unit.tx, product.sku)).map((rule) => [rule.warehouse_id, rule]));
  await rewrite(unit, levels, ({ warehouse_id }) => effective(own.get(warehouse_id), product));
}

const effective = (own: Pick<LevelRule, 'safety_stock' | 'low_at'> | undefined, { safety_stock, low_at }: Rule): Rule => ({
  safety_stock: own?.safety_stock ?? safety_stock,
  low_at: own?.low_at ?? low_at,
});

async function rewrite(unit: Unit, levels: readonly Level[], ruleOf: (level: Level) => Rule): Promise<void> {
  const ruled = levels.map((level) => {
    const { safety_stock, low_at } = level;
    return { ...level, ...ruleOf(level), was: { safety_stock, low_at } };
  });
  await applyRules(
    unit.tx,
    ruled.map(({ sku, warehouse_id, safety_stock, low_at }) => ({ sku, warehouse_id, safety_stock, low_at, updated_at: unit.now })),
  );
  const stock = stockOf(ruled);
  const line = await fillLine(unit, stock, offersIn(stock));
  await saveMoved(unit, { stock, ...line }, filledAnswers(line));
}
