/** One message of a conversation. The last turn of a training record is the assistant's. */
export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

/** The canonical training example. Every file format is a rendering of this. */
export interface DatasetRecord {
  /** Unique within the dataset and stable between builds. */
  readonly id: string;
  /** Records of one group never fall into different splits. */
  readonly groupKey: string;
  readonly system: string | null;
  readonly turns: readonly Turn[];
  /** What the record is an example of, for stratified splits and slices; for instance a verdict. */
  readonly label: string | null;
  /** Where the record came from, for instance `builder:phrase-bank` or `file:rows.jsonl#12`. */
  readonly source: string;
  /** 0 to 10, or null where nobody rated it. */
  readonly quality: number | null;
  readonly weight: number;
}

export type Split = 'training' | 'validation';

/** Where a stored file is and what is in it. Datasets travel between activities as references only. */
export interface StoredFile {
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly records: number;
}

/** Why rows did not make it into the dataset. `accepted + sum(dropped) = read`, always. */
export interface DatasetCounts {
  readonly read: number;
  readonly accepted: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly byLabel: Readonly<Record<string, number>>;
}

/** A built dataset: stored as `manifest.json` beside its files, and passed between activities whole. */
export interface DatasetManifest {
  readonly schema: 'dataset-manifest/v1';
  /** SHA-256 over the two split files: same rows and same rendering give the same value. */
  readonly sha256: string;
  readonly format: 'bedrock-conversation-2024';
  readonly manifestUri: string;
  readonly training: StoredFile;
  readonly validation: StoredFile | null;
  /** The canonical records of the validation split, one JSON object a line; what `suite: held-out` asks. */
  readonly heldOut: StoredFile | null;
  readonly records: number;
  readonly counts: DatasetCounts;
  readonly guardrails: { readonly rulesetHash: string; readonly blocks: number; readonly warnings: number };
  /** Tokens of the training split, estimated at four characters a token unless `tokenizer` says otherwise. */
  readonly trainingTokens: number;
  readonly tokenizer: string;
  readonly recipeHash: string;
  readonly source: string;
  /** What was accepted but is worth knowing, by name and count, for instance `ByteOrderMark`. */
  readonly notes?: Readonly<Record<string, number>>;
}

/** One thing wrong with an input file or table, in terms a person can act on. */
export interface DatasetProblem {
  /** The file, or the table. */
  readonly file: string;
  /** Of a table's row, for instance `twitter_id=42`. */
  readonly key?: string;
  /** 1-based; of a table, the number of the row in the order it was read. */
  readonly line: number;
  /** Offset of the line's first byte within the file. */
  readonly byteOffset: number;
  /** Stable, for instance `InvalidJson`, `MissingMember`, `RoleOrder`, `ReservedToken`, `GuardrailBlock`. */
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}
