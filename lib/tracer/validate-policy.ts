/** Validates a policy, and reads the files of this machine if the options ask for it. */
import { hostFiles } from '../elf-files/host-files.js';
import type { Diagnostic } from '../errors.js';
import { badOptionError } from './bad-option.js';
import { validatePolicy as validate } from '../policy/index.js';
import type { ValidateOptions } from '../../types/policy.js';

export function validatePolicy(yaml: string, { files, ...options }: ValidateOptions = {}): Diagnostic[] {
  if (options.like !== undefined && (options.like as string) !== 'tetragon') {
    throw badOptionError('like', 'is not the name of a known agent', "it can be 'tetragon'");
  }
  return validate(yaml, files === true ? { ...options, files: hostFiles } : options);
}
