import { DeleteCustomModelDeploymentCommand } from '@aws-sdk/client-bedrock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeShuffledFile } from '../../src/client/demo/data-files.js';
import { expectInvariants } from '../support/invariants.js';
import { stylist, writeLines } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';
