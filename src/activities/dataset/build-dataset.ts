import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { novaRecordLimits } from '../../domain/dataset/conversation-format.js';
import { groupForValidation, smallestMendedDataset } from '../../domain/dataset/split.js';
import type { DatasetManifest } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { Recipe } from '../../domain/recipe.js';
import type { DatasetSource } from '../../domain/run-spec.js';
import { HashedFile } from './hashed-file.js';
import { loadManifest } from './load-manifest.js';
import { Pace, type PaceInput } from './pace.js';
import { publish } from './publish.js';
import { rejectForProblems, rejectForSize } from './rejection.js';
import { type OpenedSource, openSource, type SourceSurroundings } from './sources.js';
import { Intake } from './take-in.js';
import { type WrittenSplits, writeSplits } from './write-splits.js';

export interface BuildDatasetInput {
  readonly recipe: Recipe;
  readonly source: DatasetSource;
  /** Share of the groups that go to the validation split, 0 to 0.5; 0 trains on everything. */
  readonly validationShare: number;
  /** `s3://bucket/prefix` to put the files under. */
  readonly destination: string;
  readonly format: 'bedrock-conversation-2024';
}

/** `progress` and `signal` belong to one build: heartbeats go out through the one, a cancel comes in by the other. */
export interface BuildDatasetDependencies extends SourceSurroundings, PaceInput {
  /** Local scratch space of about twice the size of the data; what a build puts there it removes. */
  readonly temporaryDirectory: string;
}

/**
 * Builds a dataset: read, map, check, deduplicate, split, render, upload. The same rows give the same bytes.
 *
 * Throws `DatasetRejected` when anything is wrong with the data, with every problem listed in object storage,
 * and `InvalidInput` when the source cannot be what was meant; any other error is worth another try.
 */
export async function buildDataset(
  input: BuildDatasetInput,
  dependencies: BuildDatasetDependencies,
): Promise<DatasetManifest> {
  checkInput(input);
  const { source } = input;
  if (source.kind === 'manifest') {
    return await loadManifest(source.uri, dependencies.objects, dependencies.signal);
  }
  const opened = await openSource(source, input.recipe, dependencies);
  await mkdir(dependencies.temporaryDirectory, { recursive: true });
  const directory = await mkdtemp(join(dependencies.temporaryDirectory, 'dataset-'));
  try {
    return await buildWithin(directory, opened, input, dependencies);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function buildWithin(
  directory: string,
  source: OpenedSource,
  input: BuildDatasetInput,
  dependencies: BuildDatasetDependencies,
): Promise<DatasetManifest> {
  const { recipe, validationShare } = input;
  const { objects } = dependencies;
  const destination = input.destination.replace(/\/+$/, '');
  const pace = new Pace(dependencies);
  const acceptedPath = join(directory, 'accepted.jsonl');
  const intake = await takeIn(source, input, acceptedPath, pace);
  const { ledger } = intake;
  if (ledger.problemCount > 0) throw await rejectForProblems(ledger, destination, objects);

  const validationGroup = chooseValidationGroup(source, intake, validationShare);
  const splits = await writeSplits({ acceptedPath, directory, validationGroup, pace });
  checkSplits(source, intake, splits, validationShare);

  await pace.rest(`Uploading ${ledger.accepted} records`, ledger.read);
  const notes = ledger.sortedNotes();
  const facts = {
    format: input.format,
    counts: ledger.counts(),
    guardrails: { rulesetHash: recipe.rulesetHash, blocks: 0, warnings: 0 },
    trainingTokens: Math.ceil(splits.trainingCharacters / 4),
    tokenizer: 'estimated: 4 characters a token',
    recipeHash: recipe.contentHash,
    source: source.description,
    ...(Object.keys(notes).length > 0 ? { notes } : {}),
  };
  return await publish(splits, facts, destination, objects);
}

async function takeIn(
  source: OpenedSource,
  input: BuildDatasetInput,
  acceptedPath: string,
  pace: Pace,
): Promise<Intake> {
  const kept = await HashedFile.create(acceptedPath);
  try {
    const intake = new Intake(input.recipe, input.validationShare, kept, pace);
    await intake.takeAll(source);
    await kept.flush();
    return intake;
  } finally {
    await kept.abandon();
  }
}

/** Throws where the records are too few or too many to train on. */
function chooseValidationGroup(source: OpenedSource, intake: Intake, validationShare: number): string | null {
  const { ledger } = intake;
  const { minimum, maximum } = novaRecordLimits;
  if (ledger.accepted < minimum || ledger.accepted > maximum) {
    const found = ledger.accepted > maximum ? `more than ${maximum}` : `${ledger.accepted}`;
    throw rejectForSize(
      source.description,
      ledger,
      `${found} records are left, but Nova trains on ${minimum} to ${maximum}, both splits together. ${
        ledger.accepted < minimum ? 'Add records.' : 'Take fewer.'
      }`,
    );
  }
  const isMended =
    validationShare > 0 && intake.validationRecords === 0 && ledger.accepted >= smallestMendedDataset;
  return isMended ? groupForValidation(intake.groups.values(), ledger.accepted) : null;
}

function checkSplits(
  source: OpenedSource,
  intake: Intake,
  splits: WrittenSplits,
  validationShare: number,
): void {
  const groups = `${intake.groups.size} ${intake.groups.size === 1 ? 'group' : 'groups'}`;
  if (validationShare > 0 && splits.validation.records === 0) {
    throw rejectForSize(
      source.description,
      intake.ledger,
      `the validation split is empty: ${intake.ledger.accepted} records in ${groups} at a validationShare of ${validationShare}. Add records or groups, raise dataset.validationShare, or set it to 0 to train on everything.`,
    );
  }
  if (splits.training.records < novaRecordLimits.minimum) {
    throw rejectForSize(
      source.description,
      intake.ledger,
      `the training split has ${splits.training.records} records, but Nova needs ${novaRecordLimits.minimum}; ${splits.validation.records} of ${groups} went to validation. Add records, or lower dataset.validationShare.`,
    );
  }
}

function checkInput(input: BuildDatasetInput): void {
  if (input.format !== 'bedrock-conversation-2024') {
    throw invalid(`format is "${input.format}"; allowed is "bedrock-conversation-2024"`);
  }
  if (!(input.validationShare >= 0 && input.validationShare <= 0.5)) {
    throw invalid(`dataset.validationShare is ${input.validationShare}; allowed is 0 to 0.5`);
  }
  if (!/^s3:\/\/[^/]+(\/[A-Za-z0-9!_.*'()/-]*)?$/.test(input.destination)) {
    throw invalid(`destination is "${input.destination}"; allowed is s3://bucket/prefix`);
  }
}

function invalid(message: string): PermanentFailure {
  return new PermanentFailure('InvalidInput', `${message}.`);
}
