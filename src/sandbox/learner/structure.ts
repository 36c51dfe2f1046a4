import { extendHash } from './random.js';

/** Where a text stands in its brackets and quotes; it knows no grammar, only that such signs come in pairs. */
export interface Structure {
  /** Equal for the same open brackets, the same side of quotes and, within brackets, of a colon. */
  nesting: number;
  /** Equal if, besides, the same number of elements was passed at each depth. */
  place: number;
  /** Elements passed at all open depths together: how far along the answer is. */
  progress: number;
}

const CLOSERS: Record<string, string> = { '{': '}', '[': ']', '(': ')' };
const DEPTH_MAX = 32;

/** Follows a text piece by piece. Elements beyond the most ever seen at a depth count as the last one seen. */
export class StructureTracker {
  private readonly open: string[] = [];
  private readonly elements: number[] = [0];
  /** For each depth, whether a colon came after the last comma. */
  private readonly afterColon: boolean[] = [false];
  private quoted = false;
  private escaped = false;

  constructor(private readonly elementsMax: readonly number[]) {}

  add(text: string): void {
    for (const character of text) this.addCharacter(character);
  }

  current(): Structure {
    const value = this.open.length > 0 && this.afterColon.at(-1) === true;
    let nesting = (this.quoted ? 1 : 2) + (value ? 2 : 0);
    let place = nesting;
    let progress = 0;
    this.elements.forEach((count, depth) => {
      const bracket = this.open[depth - 1]?.charCodeAt(0) ?? 0;
      nesting = extendHash(nesting, bracket);
      const counted = Math.min(count, this.elementsMax[depth] ?? 0);
      place = extendHash(extendHash(place, bracket), counted);
      progress += counted;
    });
    return { nesting, place, progress };
  }

  /** Elements passed so far at each open depth. */
  elementCounts(): readonly number[] {
    return this.elements;
  }

  private addCharacter(character: string): void {
    if (this.escaped) {
      this.escaped = false;
      return;
    }
    if (character === '\\') this.escaped = this.quoted;
    else if (character === '"') this.quoted = !this.quoted;
    else if (this.quoted) return;
    else if (character === ':') this.afterColon[this.afterColon.length - 1] = true;
    else if (character === ',') {
      this.elements[this.elements.length - 1] = (this.elements.at(-1) ?? 0) + 1;
      this.afterColon[this.afterColon.length - 1] = false;
    } else if (CLOSERS[character] !== undefined && this.open.length < DEPTH_MAX) {
      this.open.push(CLOSERS[character]);
      this.elements.push(0);
      this.afterColon.push(false);
    } else if (character === this.open.at(-1)) {
      this.open.pop();
      this.elements.pop();
      this.afterColon.pop();
    }
  }
}
