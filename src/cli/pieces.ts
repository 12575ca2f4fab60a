/** `A=2,B=1`: pieces of lines, as people write them: by sku, or by the id of a line where a sku stands in several. */
import { CommandError, EXIT } from './problems.ts';

export interface Piece {
  readonly line_id: string;
  readonly quantity: number;
}
interface Line {
  readonly line_id: string;
  readonly sku: string;
}

/** What `text` says of these lines. Throws a CommandError that says how it is written, or which lines there are. */
export function piecesOf(text: string, lines: readonly Line[]): Piece[] {
  return text.split(',').map((part) => {
    const match = /^(.+)=(\d{1,9})$/.exec(part.trim());
    if (match === null || Number(match[2]) === 0)
      throw new CommandError(EXIT.usage, `"${part}" is not of the form <sku>=<pieces>, e.g. TEAPOT=2,CUP=6.`);
    const [, name, quantity] = match;
    const found = lines.filter((line) => line.line_id === name || line.sku === name);
    if (found.length === 1) return { line_id: found[0]!.line_id, quantity: Number(quantity) };
    const there = (found.length === 0 ? lines : found).map((line) => `${line.sku} (${line.line_id})`).join(', ');
    throw new CommandError(
      EXIT.usage,
      found.length === 0 ? `There is no ${name}; there are ${there}.` : `${name} stands in several lines: ${there}. Name one by its id.`,
    );
  });
}

/** `A × 2, B × 1` */
export const piecesText = (lines: readonly { readonly sku: string; readonly quantity: number }[]): string =>
  lines.map(({ sku, quantity }) => `${sku} × ${quantity}`).join(', ');
