/** The chain of an export: each line has a number and the hash of the line before, and a key signs positions. */
export {
  isSignedBy,
  parseCheckpoint,
  readChainKey,
  signCheckpoint,
  type Checkpoint,
  type CheckpointFields,
} from './checkpoint.js';
export { CHAIN_START, chainLine, hashLine, parseLink, type ChainLink, type ChainPosition } from './line.js';
export { ChainVerifier, type ChainProblem, type ChainResult } from './verifier.js';
