import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Short campaigns take minutes: begun last, one of them would leave processors idle. */
export class CampaignsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isCampaign = ({ moduleId }: TestSpecification) => moduleId.includes('/test/campaigns/');
    const others = await super.sort(files);
    return [...others.filter(isCampaign), ...others.filter((file) => !isCampaign(file))];
  }
}
