/**
 * Labels of the simulated carrier as printers and people read them: a PDF of 4 × 6 inches, and ZPL for a label printer of 203 dpi.
 *
 * A PDF of one page of text and bars is a few objects and a table of where they begin, so no library is needed for it.
 */

export interface LabelText {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly tracking_number: string;
  readonly order_number: string;
  readonly weight_g: number | null;
}

const WIDTH = 288;
const HEIGHT = 432;
const MARGIN = 16;

/** A PDF of one page. */
export function labelPdf({ from, to, tracking_number, order_number, weight_g }: LabelText): Uint8Array {
  const text = (size: number, x: number, y: number, line: string): string => `BT /F1 ${size} Tf ${x} ${y} Td (${pdfText(line)}) Tj ET`;
  const drawing = [
    ...from.slice(0, 4).map((line, i) => text(8, MARGIN, HEIGHT - 28 - 10 * i, line)),
    `${MARGIN} ${HEIGHT - 72} m ${WIDTH - MARGIN} ${HEIGHT - 72} l S`,
    ...to.slice(0, 8).map((line, i) => text(i === 0 ? 16 : 12, MARGIN, HEIGHT - 100 - 18 * i, line)),
    ...code39(tracking_number).map(({ x, width }) => `${(MARGIN + x * BAR).toFixed(2)} 70 ${(width * BAR).toFixed(2)} 80 re f`),
    text(12, MARGIN, 52, tracking_number),
    text(8, MARGIN, 24, [order_number, ...(weight_g === null ? [] : [`${weight_g} g`]), 'simulated: moves nothing'].join('   ')),
  ].join('\n');
  return assemble([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${WIDTH} ${HEIGHT}] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>`,
    `<< /Length ${drawing.length} >>\nstream\n${drawing}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
  ]);
}

/** The objects, numbered from 1, between a head and a table of their places. */
function assemble(objects: readonly string[]): Uint8Array {
  let file = '%PDF-1.4\n';
  const places = objects.map((object, i) => {
    const place = file.length;
    file += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return place;
  });
  const table = file.length;
  const rows = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}`;
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
  return Buffer.from(file, 'latin1');
}

/** A text in the letters Helvetica has; others lose their accents, or are a question mark. */
const pdfText = (line: string): string =>
  Array.from(line, (letter) => {
    const plain = letter.charCodeAt(0) <= 0xff && letter.length === 1 ? letter : letter.normalize('NFKD').replaceAll(/[^\x20-\x7e]/g, '') || '?';
    return plain.replaceAll(/[\\()]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, (odd) => `\\${odd.charCodeAt(0).toString(8).padStart(3, '0')}`);
  }).join('');

// Code 39: nine bars and spaces a character, three of them wide. `*` begins and ends.
const CODE39_CHARACTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. *';
// oxfmt-ignore
const CODE39 = [
  '000110100', '100100001', '001100001', '101100000', '000110001', '100110000', '001110000', '000100101', '100100100', '001100100',
  '100001001', '001001001', '101001000', '000011001', '100011000', '001011000', '000001101', '100001100', '001001100', '000011100',
  '100000011', '001000011', '101000010', '000010011', '100010010', '001010010', '000000111', '100000110', '001000110', '000010110',
  '110000001', '011000001', '111000000', '010010001', '110010000', '011010000', '010000101', '110000100', '011000100', '010010100',
];
const WIDE = 3;
/** The width of a narrow bar, points: 17 characters of 16 fill the label. */
const BAR = 0.94;

/** The bars of a text, in widths of a narrow one. */
function code39(text: string): { x: number; width: number }[] {
  const bars: { x: number; width: number }[] = [];
  let x = 0;
  for (const character of `*${text}*`) {
    const elements = CODE39[CODE39_CHARACTERS.indexOf(character)] ?? CODE39[CODE39_CHARACTERS.indexOf('-')]!;
    for (const [i, wide] of Array.from(elements).entries()) {
      const width = wide === '1' ? WIDE : 1;
      if (i % 2 === 0) bars.push({ x, width });
      x += width;
    }
    x += 1;
  }
  return bars;
}

/** The same in the language of label printers. */
export function labelZpl({ from, to, tracking_number, order_number, weight_g }: LabelText): Uint8Array {
  const field = (x: number, y: number, size: number, text: string): string => `^FO${x},${y}^A0N,${size},${size}^FH^FD${zplText(text)}^FS`;
  return Buffer.from(
    [
      '^XA',
      '^CI28',
      '^PW812',
      '^LL1218',
      ...from.slice(0, 4).map((line, i) => field(40, 40 + 28 * i, 24, line)),
      '^FO40,180^GB732,3,3^FS',
      ...to.slice(0, 8).map((line, i) => field(40, 220 + 52 * i, i === 0 ? 46 : 36, line)),
      `^FO40,780^BY3^BCN,220,Y,N,N^FD${zplText(tracking_number)}^FS`,
      field(40, 1_120, 24, [order_number, ...(weight_g === null ? [] : [`${weight_g} g`]), 'simulated: moves nothing'].join('   ')),
      '^XZ',
      '',
    ].join('\n'),
  );
}

/** What begins a command is written as the number of the character. */
const zplText = (text: string): string => text.replaceAll(/[\^~_]/g, (sign) => `_${sign.charCodeAt(0).toString(16).toUpperCase()}`);
