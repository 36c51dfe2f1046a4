import type { SandboxEvent } from '../events.js';
import type { State } from '../state.js';
import type { BucketRecord, ObjectRecord } from './records.js';

/** Applies what happened to buckets, objects and uploads. */
export function applyStorageEvent(state: State, event: SandboxEvent): void {
  switch (event.type) {
    case 'bucket.created':
      state.buckets.set(event.bucket, {
        name: event.bucket,
        region: event.region,
        createdAt: event.at,
        objects: new Map(),
        bytes: 0,
        byteMs: 0,
        meteredAt: event.at,
      });
      return;
    case 'bucket.deleted':
      state.buckets.delete(event.bucket);
      return;
    case 'object.put':
      setObject(state.buckets.get(event.bucket), event.key, event.object, event.at);
      return;
    case 'object.deleted':
      setObject(state.buckets.get(event.bucket), event.key, null, event.at);
      return;
    case 'upload.created':
      state.uploads.set(event.upload.uploadId, { ...event.upload, parts: new Map() });
      return;
    case 'upload.part':
      state.uploads.get(event.uploadId)?.parts.set(event.part.number, event.part);
      return;
    case 'upload.completed': {
      const upload = state.uploads.get(event.uploadId);
      if (upload) setObject(state.buckets.get(upload.bucket), upload.key, event.object, event.at);
      state.uploads.delete(event.uploadId);
      return;
    }
    case 'upload.aborted':
      state.uploads.delete(event.uploadId);
  }
}

function setObject(
  bucket: BucketRecord | undefined,
  key: string,
  object: ObjectRecord | null,
  at: number,
): void {
  if (!bucket) return;
  bucket.byteMs = byteMsUntil(bucket, at);
  bucket.meteredAt = Math.max(bucket.meteredAt, at);
  bucket.bytes -= bucket.objects.get(key)?.bytes ?? 0;
  if (object) {
    bucket.bytes += object.bytes;
    bucket.objects.set(key, object);
  } else {
    bucket.objects.delete(key);
  }
}

/** Bytes × milliseconds stored since the bucket was created. */
export function byteMsUntil(bucket: BucketRecord, at: number): number {
  return bucket.byteMs + bucket.bytes * Math.max(0, at - bucket.meteredAt);
}
