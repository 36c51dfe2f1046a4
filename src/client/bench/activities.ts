import { activityInfo } from '@temporalio/activity';
import { lookAgain } from '../../activities/waiting.js';
import type { WaitInput } from './workflows.js';

export type BenchActivities = ReturnType<typeof createBenchActivities>;

export function createBenchActivities() {
  return {
    async lookUntilDone({ polls, betweenMs }: WaitInput): Promise<void> {
      const seconds = betweenMs / 1000;
      const waiting = { firstMinuteSeconds: seconds, firstHourSeconds: seconds, laterSeconds: seconds };
      if (activityInfo().attempt < polls) lookAgain('Not done yet', waiting);
    },
    async look(): Promise<'not done yet'> {
      return 'not done yet';
    },
    async greet(name: string): Promise<string> {
      return `Hello, ${name}`;
    },
  };
}
