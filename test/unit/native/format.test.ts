import assert from 'node:assert/strict';
import { parseFormat } from '../../../lib/native/btf.js';

describe('the format of a tracepoint', () => {
  it('contains the type, offset and size of each field', () => {
    const format = `name: x
ID: 1
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;
\tfield:const char * name;\toffset:32;\tsize:8;\tsigned:0;
\tfield:unsigned long args[6];\toffset:40;\tsize:48;\tsigned:0;

print fmt: "field:%s", REC->name
`;
    assert.deepEqual(parseFormat(format), [
      { name: 'common_type', type: 'unsigned short', offset: 0, size: 2 },
      { name: 'filename', type: '__data_loc char[]', offset: 8, size: 4 },
      { name: 'comm', type: 'char[16]', offset: 12, size: 16 },
      { name: 'name', type: 'const char *', offset: 32, size: 8 },
      { name: 'args', type: 'unsigned long[6]', offset: 40, size: 48 },
    ]);
  });
});
