/**
 * Figures somebody else computed, from the same file and with another program, and how ours compare with them, one by one.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { parseDecimal } from '../../kernel/money.ts';
import type { Figures } from './figures.ts';

export interface Truth {
  readonly figures: Figures;
  /** By product, when the document names such a file beside it. */
  readonly products: Figures | undefined;
}

/** Reads a truth document, and the per-product file it names in `per_product_file`. */
export async function readTruth(file: string): Promise<Truth> {
  const document: unknown = JSON.parse(await readFile(file, 'utf8'));
  const named = (document as { per_product_file?: Record<string, string> }).per_product_file;
  const [productFile] = Object.keys(named ?? {});
  return {
    figures: flatten(document),
    products: productFile === undefined ? undefined : perProduct(await readFile(join(dirname(file), productFile), 'utf8')),
  };
}

/** `StockCode,lines,…` as figures by path. */
function perProduct(text: string): Figures {
  const rows = parse(text, { bom: true, columns: true, skip_empty_lines: true }) as Record<string, string>[];
  return Object.fromEntries(
    rows.flatMap(({ StockCode: sku, ...figures }) => Object.entries(figures).map(([name, value]) => [`${sku}.${name}`, value])),
  );
}

export interface Comparison {
  /** Figures both have, and equal. */
  readonly reconciled: number;
  readonly differences: readonly { readonly figure: string; readonly truth: string; readonly found: string }[];
  /** Figures of the truth that are not counted here, by the first parts of their paths. */
  readonly not_compared: readonly string[];
}

/** Compares figure by figure. Numbers are compared as decimals (`1.5` is `1.50`), anything else as text. */
export function compareFigures(truth: Figures, found: Figures): Comparison {
  const shared = Object.keys(truth).filter((figure) => Object.hasOwn(found, figure));
  const differences = shared
    .filter((figure) => !sameFigure(truth[figure]!, found[figure]!))
    .map((figure) => ({ figure, truth: String(truth[figure]), found: String(found[figure]) }));
  const rest = Object.keys(truth).filter((figure) => !Object.hasOwn(found, figure));
  return {
    reconciled: shared.length - differences.length,
    differences,
    not_compared: [...new Set(rest.map((figure) => figure.split('.').slice(0, 2).join('.')))],
  };
}

function sameFigure(a: number | string, b: number | string): boolean {
  const [one, other] = [a, b].map((figure) => parseDecimal(String(figure), 9));
  return one === undefined || other === undefined ? String(a) === String(b) : one === other;
}

/** A JSON document as figures by path; what describes the file rather than counting it (definitions, file hashes) is left out. */
export function flatten(document: unknown, path = ''): Figures {
  if (typeof document === 'number' || typeof document === 'string') return { [path]: document };
  if (typeof document !== 'object' || document === null) return {};
  const parts = Object.entries(document).filter(([key]) => path !== '' || !['dataset', 'files', 'definitions', 'per_product_file'].includes(key));
  return Object.assign({}, ...parts.map(([key, value]) => flatten(value, path === '' ? key : `${path}.${key}`)));
}
