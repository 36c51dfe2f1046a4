/** The queue of what takes whole processors and gigabytes on our own machines, beside the one of everything else. */
export function computeTaskQueue(taskQueue: string): string {
  return `${taskQueue}-compute`;
}
