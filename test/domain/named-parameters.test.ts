import { describe, expect, it } from 'vitest';
import { toPositional } from '../../src/domain/dataset/named-parameters.js';

const convert = (query: string, parameters = {}) => toPositional(query, parameters, 'export.sql');

describe('named parameters of a query', () => {
  it('become positions, the same name the same one', () => {
    expect(convert('SELECT :b, :a, :b;', { a: 1, b: ['x', 'y'] })).toEqual({
      text: 'SELECT $1, $2, $1',
      values: [['x', 'y'], 1],
    });
  });

  it('are no casts, strings, names, comments or quoted bodies', () => {
    const query = `SELECT a::int, ':a''b', ":c", E'\\':d', $$ :e $$, $t$ :f $t$ -- :g
      /* :h
      */ FROM t`;
    expect(convert(query)).toEqual({ text: query, values: [] });
  });

  it('must have a value each, and no value may be left over', () => {
    expect(() => convert('SELECT :a, :c', { a: 1, b: 2 })).toThrow(
      'dataset.source.parameters: found no value for :c, a value for "b"; allowed: a value for each parameter of export.sql (:a, :c).',
    );
  });
});
