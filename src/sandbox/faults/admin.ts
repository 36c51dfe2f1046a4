import { isJsonObject } from '../../domain/json.js';
import type { SandboxFaultScenarios } from '../admin.js';
import { jsonReply, type Reply } from '../http/message.js';
import { InvalidInput, parseJson } from '../input.js';
import type { FaultInjector } from './injector.js';
import { loadScenario, scenarioNames } from './scenarios.js';
import { type CheckedScript, parseFaultScript } from './script.js';

/** PUT /_anneal/faults: a script, or `{"scenario": "lost-reply"}`. */
export function putFaults(faults: FaultInjector, body: Buffer): Reply {
  try {
    faults.install(requestedScript(body));
  } catch (error) {
    if (error instanceof InvalidInput) return jsonReply(400, { message: error.message });
    throw error;
  }
  return jsonReply(200, faults.describe());
}

function requestedScript(body: Buffer): CheckedScript {
  const subject = 'The fault script';
  const value = parseJson(body.toString('utf8'), subject);
  const isNamed = isJsonObject(value) && typeof value.scenario === 'string' && !('faults' in value);
  return isNamed ? loadScenario(String(value.scenario)) : parseFaultScript(value, subject);
}

/** GET /_anneal/faults/scenarios */
export function listScenarios(): SandboxFaultScenarios {
  return {
    simulated: true,
    scenarios: scenarioNames().map((name) => {
      const { description = '', faults } = loadScenario(name);
      return { name, description, faults };
    }),
  };
}
