// The files of dist/ that are published, without their extension. Each is a bundle of the module of lib/ with the same
// name, except `yaml`, which is the package of this name. Programs load `index`, and the command is `cli/main`, which has
// the commands that take least time. The others are loaded when something needs them.
export const ENTRIES = [
  'index',
  'policies',
  'yaml',
  'cli/main',
  'cli/program',
  'protocol/index',
  'grpc/client',
  'report/index',
];
