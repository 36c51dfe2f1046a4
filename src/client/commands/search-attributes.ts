import { Command } from 'commander';
import { searchAttributes } from '../../domain/search-attributes.js';
import { CommandFailure } from '../exit.js';

/** As the server numbers its types. */
const types = { KEYWORD: 2, DOUBLE: 4 } as const;

export function searchAttributesCommand(): Command {
  return new Command('search-attributes')
    .description('Registers what runs and leases can be searched by; does nothing where they are known.')
    .addHelpText(
      'after',
      `
The server is the one that TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE or a profile names. Afterwards set
ANNEAL_SEARCH_ATTRIBUTES=true for the workers: an attribute that the server does not know refuses starts.
"anneal up" does both by itself.

Then, for instance:
  temporal workflow list --query "AnnealUsdPerHour > 0 AND ExecutionStatus = 'Running'"
  temporal workflow list --query "AnnealModel = 'stylist' AND AnnealVerdict = 'failed'"`,
    )
    .action(register);
}

async function register(): Promise<void> {
  const { connectProfile } = await import('../../workers/dependencies.js');
  const client = await connectProfile().catch((error: Error) => {
    throw new CommandFailure(
      `The Temporal server cannot be reached: ${error.message}. Check TEMPORAL_ADDRESS and the profile.`,
    );
  });
  try {
    const { namespace } = client.options;
    const { operatorService } = client.connection;
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = Object.entries(searchAttributes).filter(([name]) => !(name in (customAttributes ?? {})));
    if (missing.length > 0) {
      const wanted = Object.fromEntries(missing.map(([name, type]) => [name, types[type]]));
      await operatorService.addSearchAttributes({ namespace, searchAttributes: wanted });
    }
    const names = missing.map(([name]) => name).join(', ');
    console.log(names ? `Registered in namespace ${namespace}: ${names}.` : 'All of them are known already.');
  } finally {
    await client.connection.close();
  }
}
