import { describe, expect, it } from 'vitest';
import { type LabelText, labelPdf, labelZpl } from './label-document.ts';

const label: LabelText = {
  from: ['Hamburg', 'Hafenstraße 1'],
  to: ['Zoë (Łukasz) \\', '75000 Paris'],
  tracking_number: 'WBKC1XK6W2T4NZ7',
  order_number: 'ORD-2026-000001',
  weight_g: 1_200,
};
const read = (bytes: Uint8Array, encoding: 'latin1' | 'utf8'): string => Buffer.from(bytes).toString(encoding);

describe('a label as PDF', () => {
  const pdf = read(labelPdf(label), 'latin1');

  it('says where each of its objects begins, and how long its drawing is', () => {
    expect(pdf.startsWith('%PDF-1.4\n')).toBe(true);
    expect(pdf.endsWith('%%EOF\n')).toBe(true);
    const table = Number(/startxref\n(\d+)\n/.exec(pdf)![1]);
    const [, size, ...rows] = pdf.slice(table).split('\n');
    expect(pdf.slice(table, table + 4)).toBe('xref');
    expect(size).toBe('0 6');
    expect(rows[0]).toBe('0000000000 65535 f ');
    for (let i = 1; i <= 5; i += 1) expect(pdf.slice(Number(rows[i]!.slice(0, 10)))).toMatch(new RegExp(`^${i} 0 obj\\n`));
    const stream = /<< \/Length (\d+) >>\nstream\n([^]*?)\nendstream/.exec(pdf)!;
    expect(stream[2]).toHaveLength(Number(stream[1]));
  });

  it('holds the texts, in the letters its font has, and what would end a text is marked', () => {
    expect(pdf).toContain('(Hafenstra\\337e 1) Tj');
    expect(pdf).toContain('(Zo\\353 \\(?ukasz\\) \\\\) Tj');
    expect(pdf).toContain('(ORD-2026-000001   1200 g   simulated: moves nothing) Tj');
  });

  it('draws the bars of the tracking number within the margins', () => {
    const bars = [...pdf.matchAll(/^([\d.]+) 70 ([\d.]+) 80 re f$/gm)].map(([, x, width]) => [Number(x), Number(width)] as const);
    expect(bars).toHaveLength(5 * (label.tracking_number.length + 2));
    const [x, width] = bars.at(-1)!;
    expect(bars[0]![0]).toBe(16);
    expect(x + width).toBeLessThanOrEqual(288 - 16);
    // `*`, the sign that begins and ends: narrow bars and wide ones.
    expect(bars.slice(0, 5).map(([, wide]) => wide > 1)).toEqual([false, false, true, true, false]);
  });
});

describe('a label as ZPL', () => {
  it('is one label, and nothing in a text is a command', () => {
    const zpl = read(labelZpl({ ...label, to: ['^XZ ~DY_'] }), 'utf8');
    expect(zpl.match(/\^XA/g)).toHaveLength(1);
    expect(zpl.match(/\^XZ/g)).toHaveLength(1);
    expect(zpl).toContain('^FD_5EXZ _7EDY_5F^FS');
    expect(zpl).toContain('^BCN,220,Y,N,N^FDWBKC1XK6W2T4NZ7^FS');
    expect(zpl).toContain('Hafenstraße');
  });
});
