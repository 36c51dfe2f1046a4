import { isPointer } from './copying.js';
import { BEGIN, hashPassage, PASSAGE } from './corpus.js';
import { type Structure, StructureTracker } from './structure.js';
import { isWord } from './tokens.js';

/** What is written so far of an answer. */
export class History {
  readonly symbols: number[] = [BEGIN];
  structure: Structure;
  private readonly tracker: StructureTracker;
  private readonly said = new Set<number>();

  constructor(elementsMax: readonly number[]) {
    this.tracker = new StructureTracker(elementsMax);
    this.structure = this.tracker.current();
  }

  append(symbol: number, text: string): void {
    this.symbols.push(symbol);
    if (this.symbols.length > PASSAGE)
      this.said.add(hashPassage(this.symbols, this.symbols.length - PASSAGE));
    if (isWord(text) || isPointer(text)) return;
    this.tracker.add(text);
    this.structure = this.tracker.current();
  }

  hasSaid(passage: number): boolean {
    return passage !== 0 && this.said.has(passage);
  }
}
