/** What the worker bundles: the names here are the workflow types of the command line. */
export { buildDataset } from './build-dataset.js';
export { convert } from './convert.js';
export { deploy } from './deploy.js';
export { fineTune } from './fine-tune.js';
export { infer } from './infer.js';
export { leaseResource } from './lease.js';
export { promote } from './promote.js';
export { rollback } from './rollback.js';
export { sweepOrphans } from './sweep-orphans.js';
export { teardown } from './teardown.js';
export { train } from './train.js';
export { unknownWorkflowType as default } from './unknown-type.js';
export { validate } from './validate.js';
